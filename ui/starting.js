// The colours that were chosen, and then the page, as soon as it is there.
const wanted = localStorage.getItem("hoplite-theme");
if (wanted === "dark" || wanted === "light") document.documentElement.classList.add(wanted);
const wait = () => fetch("/starting/done").then(() => location.reload(), () => setTimeout(wait, 500));
wait();

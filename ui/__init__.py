"""The ways in: command line and Gradio app. They render and decide nothing."""

"""How the page looks: its colours, its type and its spaces, light and dark. The rest is in page.css."""

from __future__ import annotations

from gradio.themes import Base, Color, sizes

# Bronze for what can be done, on paper and on slate. Every text is 4.5 to 1 or more against what is behind it.
_BRONZE = Color(
    c50="#fdf8f0", c100="#f8ecd8", c200="#efd6ad", c300="#e3ba79", c400="#d39c4b", c500="#b97d2c",
    c600="#96611d", c700="#774c18", c800="#5f3d18", c900="#4b3116", c950="#2b1a0a",
)  # fmt: skip
_STONE = Color(
    c50="#fbfaf8", c100="#f4f2ee", c200="#e7e3dc", c300="#d3cdc3", c400="#a39c90", c500="#787166",
    c600="#5c564d", c700="#454039", c800="#2b2824", c900="#1e1c19", c950="#151311",
)  # fmt: skip


class Theme(Base):  # type: ignore[misc]  # Gradio ships no types
    """The one theme. Its fonts are the system's own: nothing is fetched."""

    def __init__(self) -> None:
        super().__init__(
            primary_hue=_BRONZE,
            secondary_hue=_BRONZE,
            neutral_hue=_STONE,
            text_size=sizes.text_md,
            spacing_size=sizes.spacing_md,
            radius_size=sizes.radius_md,
            font=["system-ui", "-apple-system", "Segoe UI", "sans-serif"],
            font_mono=["ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace"],
        )
        super().set(
            body_background_fill="*neutral_50",
            body_background_fill_dark="*neutral_950",
            body_text_color="*neutral_900",
            body_text_color_dark="*neutral_100",
            body_text_color_subdued="*neutral_600",
            body_text_color_subdued_dark="*neutral_400",
            background_fill_primary="#ffffff",
            background_fill_primary_dark="*neutral_900",
            background_fill_secondary="*neutral_100",
            background_fill_secondary_dark="*neutral_800",
            border_color_primary="*neutral_200",
            border_color_primary_dark="*neutral_700",
            color_accent="*primary_600",
            color_accent_soft="*primary_100",
            color_accent_soft_dark="#3a2a14",
            link_text_color="*primary_700",
            link_text_color_dark="*primary_300",
            link_text_color_hover="*primary_800",
            link_text_color_hover_dark="*primary_200",
            link_text_color_visited="*primary_700",
            link_text_color_visited_dark="*primary_300",
            block_background_fill="transparent",
            block_background_fill_dark="transparent",
            block_border_width="0px",
            block_shadow="none",
            block_padding="0px",
            block_label_text_color="*neutral_600",
            block_label_text_color_dark="*neutral_400",
            block_info_text_color="*neutral_600",
            block_info_text_color_dark="*neutral_400",
            input_background_fill="#ffffff",
            input_background_fill_dark="*neutral_900",
            input_border_color="*neutral_300",
            input_border_color_dark="*neutral_700",
            input_border_color_focus="*primary_500",
            input_border_color_focus_dark="*primary_400",
            input_border_width="1px",
            input_placeholder_color="*neutral_500",
            input_placeholder_color_dark="*neutral_400",
            button_primary_background_fill="*primary_600",
            button_primary_background_fill_dark="*primary_300",
            button_primary_background_fill_hover="*primary_700",
            button_primary_background_fill_hover_dark="*primary_200",
            button_primary_text_color="#ffffff",
            button_primary_text_color_dark="*primary_950",
            button_secondary_background_fill="*neutral_100",
            button_secondary_background_fill_dark="*neutral_800",
            button_secondary_text_color="*neutral_800",
            button_secondary_text_color_dark="*neutral_100",
            button_secondary_border_color="*neutral_300",
            button_secondary_border_color_dark="*neutral_700",
            checkbox_background_color_selected="*primary_600",
            checkbox_background_color_selected_dark="*primary_500",
        )

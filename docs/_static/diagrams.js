// Draws the diagrams of a page in the colors of the theme, and again when the reader changes the theme.
(function () {
  const diagrams = [...document.querySelectorAll("pre.mermaid")];
  const sources = diagrams.map((each) => each.textContent);
  const dark = window.matchMedia("(prefers-color-scheme: dark)");

  function isDark() {
    const theme = document.body.dataset.theme;
    return theme === "dark" || (theme !== "light" && dark.matches);
  }

  async function draw() {
    mermaid.initialize({ startOnLoad: false, theme: isDark() ? "dark" : "neutral", er: { useMaxWidth: false, nodeSpacing: 16, rankSpacing: 70, minEntityHeight: 24, minEntityWidth: 60, entityPadding: 6, fontSize: 12 }, themeVariables: { fontSize: "12px" } });
    diagrams.forEach((each, number) => {
      each.removeAttribute("data-processed");
      each.textContent = sources[number];
    });
    await mermaid.run({ nodes: diagrams });
  }

  document.addEventListener("DOMContentLoaded", () => {
    draw();
    new MutationObserver(draw).observe(document.body, { attributeFilter: ["data-theme"] });
    dark.addEventListener("change", draw);
  });
})();

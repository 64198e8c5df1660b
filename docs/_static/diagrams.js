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
    mermaid.initialize({ startOnLoad: false, theme: isDark() ? "dark" : "neutral", er: { useMaxWidth: false } });
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

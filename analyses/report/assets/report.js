// Puts an interactive chart in the place of each still picture, in the colours of the reader's screen.
(() => {
  "use strict";
  const NARROW = 580; // px: below it, panels stand under each other
  const read = (id) => JSON.parse(document.getElementById(id).textContent);
  const themes = read("themes");
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const views = new Map();

  const specFor = (figure, width) => {
    const spec = read(figure.dataset.spec);
    spec.config = structuredClone(themes[dark.matches ? "dark" : "light"]);
    if (width < NARROW) {
      spec.columns = 1;
      spec.config.legend.orient = "bottom";
      spec.config.legend.layout = { bottom: { anchor: "start", direction: "vertical" } };
    }
    return spec;
  };

  const draw = async (figure) => {
    const stage = figure.querySelector(".chart");
    const options = {
      actions: false,
      ast: true, // expressions are interpreted: the page allows no eval
      defaultStyle: false,
      renderer: "svg",
      tooltip: { disableDefaultStyle: true },
    };
    views.get(figure)?.finalize();
    views.set(figure, await window.vegaEmbed(stage, specFor(figure, stage.clientWidth), options));
    figure.classList.add("drawn");
  };

  const drawAll = () => {
    for (const figure of document.querySelectorAll("figure[data-spec]")) {
      draw(figure).catch((error) => {
        figure.classList.remove("drawn"); // the still picture stands
        console.error(error);
      });
    }
  };

  for (const link of document.querySelectorAll("a.svg")) {
    link.href = link.closest("figure").querySelector(".still").src;
    link.hidden = false;
  }

  let narrow = window.innerWidth < NARROW;
  window.addEventListener("resize", () => {
    if (narrow !== window.innerWidth < NARROW) {
      narrow = !narrow;
      drawAll();
    }
  });
  dark.addEventListener("change", drawAll);
  drawAll();
})();

// Light or dark: the reader's choice, or that of the system. Loaded in the head without delay, so
// that no page is painted in the wrong one first.

(() => {
  const KEY = "jangteo:theme";
  const system = window.matchMedia("(prefers-color-scheme: dark)");

  const apply = () => {
    const chosen = localStorage.getItem(KEY) ?? (system.matches ? "dark" : "light");
    document.documentElement.dataset.bsTheme = chosen;
  };

  system.addEventListener("change", apply);
  document.addEventListener("click", (event) => {
    if (!event.target.closest("[data-switch-theme]")) return;
    const isDark = document.documentElement.dataset.bsTheme === "dark";
    localStorage.setItem(KEY, isDark ? "light" : "dark");
    apply();
  });
  apply();
})();

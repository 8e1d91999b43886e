// Before anything is drawn, so that nobody sees the other colours first.
"use strict";
(() => {
  let theme = "auto";
  try {
    theme = localStorage.getItem("headway.theme") || "auto";
  } catch {
    // Storage is forbidden: as the system has it.
  }
  document.documentElement.dataset.theme = theme;
})();

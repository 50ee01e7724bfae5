"use strict";
// Sorting: a heading's button turns the order; numbers by their value, the rest as text. Empty cells stay last.
for (const table of document.querySelectorAll("table")) {
  const body = table.tBodies[0];
  table.querySelectorAll("thead button").forEach((button, column) => {
    button.addEventListener("click", () => {
      const head = button.parentElement;
      const down = head.getAttribute("aria-sort") === "ascending";
      table.querySelectorAll("thead th").forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const key = (row) => {
        const cell = row.cells[column];
        const text = cell.dataset.key ?? cell.textContent.trim();
        if (text === "" || text === "–") return null;
        const number = Number(text);
        return Number.isNaN(number) ? text : number;
      };
      const order = (a, b) => {
        const [x, y] = [key(a), key(b)];
        if (x === null || y === null) return (x === null) - (y === null);
        const ahead = typeof x === "number" && typeof y === "number" ? x - y : String(x).localeCompare(String(y));
        return down ? -ahead : ahead;
      };
      body.append(...[...body.rows].sort(order));
    });
  });
}
// Checkboxes show or hide a variant everywhere.
for (const box of document.querySelectorAll("fieldset input")) {
  const show = () => {
    for (const part of document.querySelectorAll(`[data-variant="${CSS.escape(box.value)}"]`)) {
      part.classList.toggle("hidden", !box.checked);
    }
  };
  box.addEventListener("change", show);
  show();
}
// Tooltip of the mark under the pointer.
const tip = document.getElementById("tip");
addEventListener("pointerover", (event) => {
  const mark = event.target.closest ? event.target.closest("[data-tip]") : null;
  tip.hidden = !mark;
  if (mark) tip.textContent = mark.dataset.tip;
});
addEventListener("pointermove", (event) => {
  if (tip.hidden) return;
  const box = tip.getBoundingClientRect();
  tip.style.left = `${Math.max(4, Math.min(event.clientX + 12, innerWidth - box.width - 4))}px`;
  tip.style.top = `${event.clientY + box.height + 24 > innerHeight ? event.clientY - box.height - 10 : event.clientY + 16}px`;
});
addEventListener("keydown", (event) => {
  if (event.key === "Escape") tip.hidden = true;
});
// In print everything is unfolded except the values of figures, which are in files.
addEventListener("beforeprint", () => {
  for (const part of document.querySelectorAll("details:not(.values)")) part.open = true;
});

"use strict";
// Tables sort by their headings; without this script they stand as they are.
(() => {
  const number = (text) => {
    const found = text.replaceAll(",", "").replace("−", "-").match(/[+-]?\d+(\.\d+)?/);
    return found ? Number(found[0]) : NaN;
  };

  // What is missing comes last either way.
  const compare = (a, b, sign) => {
    if (typeof a === "string") return sign * a.localeCompare(b, "en");
    if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) - Number.isNaN(b);
    return sign * (a - b);
  };

  const sort = (table, heading, column) => {
    const numeric = heading.classList.contains("num");
    const before = heading.getAttribute("aria-sort");
    const order = before ? before !== "ascending" : !numeric;
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", order ? "ascending" : "descending");
    const body = table.tBodies[0];
    const keyed = [...body.rows].map((row) => {
      const cell = row.cells[column]; // of several legs the first one counts
      return [numeric ? number(cell.firstChild?.textContent ?? "") : cell.textContent.trim(), row];
    });
    keyed.sort(([a], [b]) => compare(a, b, order ? 1 : -1));
    body.append(...keyed.map(([, row]) => row));
  };

  for (const table of document.querySelectorAll("table.sortable")) {
    [...table.tHead.rows[0].cells].forEach((heading, column) => {
      if (heading.classList.contains("plain")) return;
      const button = document.createElement("button");
      button.type = "button";
      button.append(...heading.childNodes);
      heading.append(button);
      button.addEventListener("click", () => sort(table, heading, column));
    });
  }
})();

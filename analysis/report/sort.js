// Lets a reader sort the page's tables by a column. Without it the page is whole; it asks the
// network for nothing.
(() => {
  // '−3.1', '1,000', '12.5%', '0.2 to 0.7' by their first number; '' and '–' are missing.
  const numberOf = (text) => {
    const found = text.replace(/−/g, "-").replace(/,(?=\d{3})/g, "").match(/^[^\d-]*(-?\d+(\.\d+)?)/);
    return found === null ? null : Number(found[1]);
  };
  const keyOf = (row, column) => {
    const cell = row.cells[column];
    const text = cell === undefined ? "" : cell.textContent.trim();
    return text === "–" || text === "-" ? "" : text;
  };
  const sort = (table, heading, column) => {
    const descending = heading.getAttribute("aria-sort") === "ascending";
    const body = table.tBodies[0];
    const rows = [...body.rows].map((row) => [keyOf(row, column), row]);
    const numeric = rows.every(([key]) => key === "" || numberOf(key) !== null);
    rows.sort(([a], [b]) => {
      // What is missing comes last in either direction.
      if (a === "" || b === "") return (a === "") - (b === "");
      const order = numeric ? numberOf(a) - numberOf(b) : a.localeCompare(b);
      return descending ? -order : order;
    });
    body.append(...rows.map(([, row]) => row));
    for (const other of heading.parentElement.cells) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", descending ? "descending" : "ascending");
  };
  for (const table of document.querySelectorAll("table.list")) {
    const head = table.tHead;
    if (head === null || head.rows.length !== 1 || table.tBodies[0].rows.length < 2) continue;
    if (table.querySelector("tbody [colspan]") !== null) continue;
    [...head.rows[0].cells].forEach((heading, column) => {
      if (heading.querySelector(".axis") !== null) return;
      const button = document.createElement("button");
      button.type = "button";
      button.append(...heading.childNodes);
      button.addEventListener("click", () => sort(table, heading, column));
      heading.append(button);
    });
  }
})();

// A cell may be a number or word with a text of its own.
function own(cell) { return cell !== null && typeof cell === "object"; }

function sortedBy(cell) { return own(cell) ? cell.value : cell; }

// A table that sorts when a heading is clicked: the largest first, then the smallest first; rows of words from A.
KINDS.table = (part) => {
  const body = make("tbody", {}), heads = part.columns.map((column, i) => headCell(part, column, i));
  heads.forEach((head, i) => head.firstChild.addEventListener("click", () => {
    const down = head.getAttribute("aria-sort") ? head.getAttribute("aria-sort") === "ascending" : part.columns[i].number;
    heads.forEach((other) => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    body.replaceChildren(...sorted(part.rows, i, down).map((row) => bodyRow(part, row)));
  }));
  body.append(...part.rows.map((row) => bodyRow(part, row)));
  const groups = part.columns.some((column) => column.group) ? groupRow(part.columns) : null;
  const table = make("table", {"aria-label": part.numbers}, make("thead", {}, groups, make("tr", {}, ...heads)), body,
    part.total.length ? make("tfoot", {}, bodyRow(part, part.total)) : null);
  return make("div", {}, make("div", {class: "scroll", tabindex: 0}, table), part.note ? make("p", {class: "hint"}, part.note) : null);
};

function headCell(part, column, i) {
  const sort = i === part.sort ? "descending" : null;
  return make("th", {scope: "col", "aria-sort": sort, class: cellClass(part, i)}, make("button", {type: "button"}, column.title));
}

function cellClass(part, i) {
  const begins = part.columns[i].group && part.columns[i].group !== part.columns[i - 1].group ? "begins" : "";
  return `${part.columns[i].number ? "" : "word"} ${begins}`.trim();
}

function groupRow(columns) {
  const cells = [];
  columns.forEach((column, i) => {
    if (i && column.group === columns[i - 1].group) cells[cells.length - 1].colSpan += 1;
    else cells.push(make("th", {class: column.group ? "group" : "", scope: "colgroup"}, column.group));
  });
  return make("tr", {}, ...cells);
}

function bodyRow(part, row) {
  return make("tr", {}, ...row.map((value, i) => {
    const column = part.columns[i], bar = column.bar && value && row !== part.total ? `${Math.min(100, value)}%` : "";
    const style = bar ? `background: linear-gradient(to left, var(--bar) ${bar}, transparent ${bar})` : null;
    if (own(value)) return make("td", {class: `${cellClass(part, i)} ${value.tone}`.trim()}, value.text);
    return make("td", {class: cellClass(part, i), style}, column.number && typeof value !== "string" ? figure(value) : value);
  }));
}

function sorted(rows, i, down) {  // what is no number comes last, either way
  const key = (row) => sortedBy(row[i]), order = (a, b) => (typeof a === "number" ? a - b : String(a).localeCompare(String(b), "en", {numeric: true}));
  return rows.slice().sort((a, b) => (key(a) === null) - (key(b) === null) || (down ? -1 : 1) * order(key(a), key(b)));
}

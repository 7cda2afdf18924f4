"use strict";
// The confusion matrix to explore: arrows move, Enter, space or a click show the pictures of a cell. Without this script the matrix is a table.
(() => {
  const explorer = document.querySelector(".explorer");
  const data = document.getElementById("cells");
  if (!explorer || !data) return;
  const { labels, cells } = JSON.parse(data.textContent);
  const words = explorer.dataset;
  const shown = explorer.querySelector(".shown");
  const fill = (text, facts) => text.replace(/\{(\w+)\}/g, (whole, name) => name in facts ? facts[name] : whole);
  const made = (tag, look, text) => {
    const node = document.createElement(tag);
    if (look) node.className = look;
    if (text !== undefined) node.textContent = text;
    return node;
  };
  const thumb = (id, told) => {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    svg.setAttribute("viewBox", "0 0 96 96");
    svg.setAttribute("class", "thumb");
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", told);
    const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
    use.setAttribute("href", "#" + id);
    svg.append(use);
    return svg;
  };
  const show = (part, cell) => {
    const [truth, predicted] = cell.dataset.cell.split(",");
    const pictures = (cells[part] || {})[cell.dataset.cell] || [];
    const n = Number(cell.textContent) || 0;
    const facts = { true: labels[truth], predicted: labels[predicted], n, shown: pictures.length };
    const head = made("p", "cell-told", fill(truth === predicted ? words.right : words.cell, facts));
    const note = made("p", "soft small", n === 0 ? words.none : fill(pictures.length < n ? words.shown : words.all, facts));
    const grid = made("div", "cell-pictures");
    for (const [id, path, pTrue, pPredicted] of pictures) {
      const figure = made("figure");
      figure.append(thumb(id, path));
      const caption = made("figcaption", "", "");
      caption.append(made("span", "path", path));
      if (truth !== predicted) caption.append(made("span", "soft", fill(words.picture, { true: pTrue, predicted: pPredicted })));
      else caption.append(made("span", "soft", pTrue));
      figure.append(caption);
      grid.append(figure);
    }
    shown.replaceChildren(head, note, grid);
    for (const other of explorer.querySelectorAll("[aria-pressed=true]")) other.setAttribute("aria-pressed", "false");
    cell.firstElementChild.setAttribute("aria-pressed", "true");
  };
  for (const matrix of explorer.querySelectorAll(".matrix")) {
    const rows = [...matrix.querySelectorAll("tbody tr")].map(row => [...row.querySelectorAll("td")]);
    rows.flat().forEach((cell, i) => {
      const [truth, predicted] = cell.dataset.cell.split(",");
      const button = made("button", "", cell.textContent);
      button.type = "button";
      button.tabIndex = i ? -1 : 0;
      button.setAttribute("aria-pressed", "false");
      button.setAttribute("aria-label", fill(truth === predicted ? words.right : words.cell, { true: labels[truth], predicted: labels[predicted], n: cell.textContent || "0" }));
      cell.replaceChildren(button);
      button.addEventListener("click", () => show(matrix.dataset.part, cell));
    });
    matrix.querySelector(".scroll").removeAttribute("tabindex");
    matrix.addEventListener("focusin", event => {
      for (const button of matrix.querySelectorAll("tbody button")) button.tabIndex = button === event.target ? 0 : -1;
    });
    matrix.addEventListener("keydown", event => {
      const row = rows.findIndex(cellsOfRow => cellsOfRow.some(cell => cell.contains(event.target)));
      if (row < 0) return;
      const column = rows[row].findIndex(cell => cell.contains(event.target));
      const [down, right] = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key] || [0, 0];
      const jump = { Home: [row, 0], End: [row, rows[row].length - 1] }[event.key];
      const [y, x] = jump || [row + down, column + right];
      if (!(down || right || jump)) return;
      event.preventDefault();
      const target = (rows[y] || [])[x];
      if (target) target.firstElementChild.focus();
    });
  }
  explorer.classList.add("live");
  shown.hidden = false;
  shown.append(made("p", "soft", words.pick));
  const pick = () => {
    const part = (explorer.querySelector("input:checked") || {}).value;
    for (const matrix of explorer.querySelectorAll(".matrix")) matrix.hidden = part !== undefined && matrix.dataset.part !== part;
    const visible = explorer.querySelector(".matrix:not([hidden])");
    const wrong = [...visible.querySelectorAll("tbody td:not(.right)")].filter(cell => Number(cell.textContent));
    wrong.sort((a, b) => Number(b.textContent) - Number(a.textContent));
    if (wrong.length) show(visible.dataset.part, wrong[0]);
  };
  explorer.querySelectorAll("input").forEach(input => input.addEventListener("change", pick));
  pick();
  const tables = [...document.querySelectorAll("details:not(.more)")].filter(d => !d.open);
  window.addEventListener("beforeprint", () => tables.forEach(d => { d.open = true; }));
  window.addEventListener("afterprint", () => tables.forEach(d => { d.open = false; }));
})();

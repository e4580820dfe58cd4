// The page: a heading, a line of links, and a section each with the choice that is seen.
function sectionNode(section) {
  const view = make("div", {class: "view"}), nodes = section.choices.map(() => null);
  const buttons = section.choices.map((choice) => make("button", {type: "button"}, choice.name));
  const show = (i) => {
    nodes[i] = nodes[i] || choiceNode(section.choices[i]);
    buttons.forEach((button, other) => button.setAttribute("aria-pressed", String(other === i)));
    view.replaceChildren(nodes[i]);
  };
  buttons.forEach((button, i) => button.addEventListener("click", () => show(i)));
  show(0);
  return make("section", {id: section.id}, make("h2", {}, section.title), section.text ? make("p", {class: "hint"}, section.text) : null,
    buttons.length > 1 ? make("div", {class: "choices", role: "group", "aria-label": section.title}, ...buttons) : null, view);
}

function choiceNode(choice) {
  const small = choice.parts.filter((part) => part.type === "bars");
  const parts = choice.parts.map((part) => KINDS[part.type](part, small));
  return make("div", {class: small.length ? "grid" : ""}, ...parts);
}

document.getElementById("head").append(make("h1", {}, data.title), make("p", {class: "subtitle"}, data.subtitle));
document.getElementById("nav").append(...data.sections.map((section) => make("a", {href: `#${section.id}`}, section.title)));
document.getElementById("foot").append(`vmconc ${data.version}. Every figure is one that vmconc's commands print in a terminal, too.`);
document.getElementById("page").replaceChildren(...data.sections.map(sectionNode));
requestAnimationFrame(() => setTimeout(readPlotly, 100));

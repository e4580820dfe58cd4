// Two bars for each name; before is hatched, so that no colour is needed to tell them apart.
KINDS.pairs = (part) => captioned(chart(70 + 40 * part.names.length, part.title, () => {
  const most = Math.max(...part.before, ...part.after), times = [1, "times"];
  const [unit, name] = part.unit === "ns" ? UNITS.find(([least]) => most >= least) || [1, "ns"] : times;
  const said = (value) => (value ? (part.unit === "ns" ? lasting(value) : figure(value)) : "none");
  const bars = (side, values, marker) => ({type: "bar", orientation: "h", name: side, y: part.names.map(plain), x: values.map((value) => value / unit),
    marker, text: values.map(said), textposition: "outside", cliponaxis: false, hovertemplate: `%{y}, ${side}: %{text}<extra></extra>`});
  const hatched = {color: colour("paper"), line: {color: colour("before"), width: 1.5}, pattern: {shape: "/", fgcolor: colour("before"), size: 6}};
  return [[bars("before", part.before, hatched), bars("after", part.after, {color: colour("held")})], {barmode: "group", bargap: 0.3,
    showlegend: true, legend: {orientation: "h", y: 1, yanchor: "bottom", x: 0}, margin: {l: room(part.names), r: 80, t: 30, b: 40},
    xaxis: axis(name, {fixedrange: true}), yaxis: {autorange: "reversed", fixedrange: true, type: "category"}}];
}), "");

KINDS.flow = (part) => captioned(chart(80 + 36 * Math.max(part.left.length, part.right.length), part.heads.join(", "), () => {
  const shade = (i) => PALETTE[i % PALETTE.length], names = [...part.left, ...part.right];
  const links = part.links.map(([, , ms, waits]) => `${lasting(ms * 1e6)} in ${figure(waits)} waits`);
  const trace = {type: "sankey", arrangement: "fixed", textfont: {color: colour("ink"), size: 12},
    node: {label: names.map((name) => plain(cut(name))), color: names.map((_, i) => (i < part.left.length ? shade(i) : colour("soft"))),
      pad: 14, thickness: 14, line: {width: 0}, hovertemplate: "%{label}<extra></extra>"},
    link: {source: part.links.map((link) => link[0]), target: part.links.map((link) => part.left.length + link[1]),
      value: part.links.map((link) => link[2]), color: part.links.map((link) => `${shade(link[0])}66`), customdata: links,
      hovertemplate: "%{source.label} waited for %{target.label}<br>%{customdata}<extra></extra>"}};
  const heads = part.heads.map((text, x) => ({text: plain(text), x, y: 1, yanchor: "bottom", xanchor: x ? "right" : "left",
    xref: "paper", yref: "paper", showarrow: false, font: {color: colour("soft")}}));
  return [[trace], {annotations: heads, margin: {l: 10, r: 10, t: 30, b: 20}}];
}), part.note);

KINDS.icicle = (part) => captioned(chart(330, part.note, () => {
  const depth = [], total = part.values_ns[0];
  part.parents.forEach((parent, i) => { depth[i] = parent < 0 ? 0 : depth[parent] + 1; });
  const shares = part.values_ns.map((value) => 100 * value / total);
  const trace = {type: "icicle", ids: part.labels.map((_, i) => String(i)), labels: part.labels.map(plain),
    parents: part.parents.map((parent) => (parent < 0 ? "" : String(parent))), values: part.values_ns, branchvalues: "total",
    customdata: part.values_ns.map(lasting), text: shares.map((share) => `${figure(Number(share.toPrecision(3)))} %`),
    texttemplate: "%{label}<br>%{customdata}, %{text}", hovertemplate: "%{label}<br>%{customdata}<br>%{text} of all<extra></extra>",
    tiling: {orientation: "v"}, pathbar: {visible: true}, marker: {colors: shares, colorscale: "Cividis", cmin: 0, cmax: 100,
      line: {width: 1, color: colour("paper")}, colorbar: {title: {text: "% of all", side: "right"}, thickness: 12, outlinewidth: 0}, showscale: true}};
  return [[trace], {margin: {l: 10, r: 10, t: 26, b: 10}}];
}), part.note);

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
  if (part.before_ns.length) compared(part, trace);
  return [[trace], {margin: {l: 10, r: 10, t: 26, b: 10}, uniformtext: {minsize: 11, mode: "hide"}}];
}), part.note);

const TIMES = 3;  // the colours end at 2 to this, and at its inverse

// Colours and texts that say what has changed since before: blue is less, orange more, and what is as before has no colour.
function compared(part, trace) {
  const ratio = part.values_ns.map((value, i) => Math.log2(value / part.before_ns[i]));  // infinite: new
  const said = part.values_ns.map((value, i) => (part.before_ns[i] ? signed(100 * (value / part.before_ns[i] - 1)) : "new"));
  const past = part.before_ns.map((value) => (value ? lasting(value) : "none"));
  trace.text = said;
  trace.customdata = part.values_ns.map((value, i) => [lasting(value), past[i]]);
  trace.texttemplate = "%{label}<br>%{customdata[0]}, %{text}";
  trace.hovertemplate = "%{label}<br>after: %{customdata[0]}<br>before: %{customdata[1]}<br>%{text}<extra></extra>";
  const scale = [[0, colour("less")], [0.5, colour("same")], [1, colour("more")]], marks = [-TIMES, -2, -1, 0, 1, 2, TIMES];
  Object.assign(trace.marker, {colors: ratio.map((value) => Math.max(-TIMES, Math.min(TIMES, value))), colorscale: scale, cmin: -TIMES, cmax: TIMES});
  trace.marker.colorbar = {...trace.marker.colorbar, title: {text: "after : before", side: "right"}, tickvals: marks,
    ticktext: marks.map((mark) => (mark ? `${mark < 0 ? "1/" : "\u00d7"}${2 ** Math.abs(mark)}` : "same"))};
}

function signed(percent) { return `${percent < 0 ? "" : "+"}${figure(Number(percent.toPrecision(3)))} %`; }

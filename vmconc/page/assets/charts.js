// Charts are drawn when they come into view; Plotly itself is read when the rest of the page is there.
const PALETTE = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#999999"];  // Okabe-Ito
const waitingCharts = new Map(), drawnCharts = new Map();
const inView = new IntersectionObserver((entries) => entries.filter((entry) => entry.isIntersecting)
  .forEach((entry) => drawChart(entry.target)), {rootMargin: "150px"});

// `build` returns Plotly's traces and layout.
function chart(height, label, build) {
  const node = make("div", {class: "chart waiting", role: "img", "aria-label": label, style: `height: ${height}px`});
  waitingCharts.set(node, build);
  inView.observe(node);
  return node;
}

function drawChart(node) {
  const build = waitingCharts.get(node);
  if (!build) return;
  waitingCharts.delete(node);
  inView.unobserve(node);
  drawnCharts.set(node, build);
  node.classList.remove("waiting");
  plot(node, build);
}

function plot(node, build) {
  readPlotly();
  const [traces, layout] = build();
  const base = {paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font: {color: colour("ink"), size: 12},
    margin: {l: 70, r: 20, t: 10, b: 45}, showlegend: false, hoverlabel: {align: "left"}};
  Plotly.react(node, traces, {...base, ...layout}, {responsive: true, displayModeBar: false});
}

function readPlotly() {
  if (!window.Plotly) document.body.append(make("script", {}, document.getElementById("plotly").textContent));
}

function drawAll() { [...waitingCharts.keys()].forEach(drawChart); }

function colour(name) { return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim(); }

// Plotly takes some tags in its texts for markup; what is shown here is text.
function plain(text) {
  return String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
}

function axis(title, more) {
  return {title: {text: title, standoff: 8}, gridcolor: colour("line"), zerolinecolor: colour("line"), linecolor: colour("line"), ...more};
}

// Room for the longest of some names, in pixels.
function room(names) { return 24 + 7 * Math.min(42, Math.max(...names.map((name) => name.length))); }

function cut(name) { return name.length > 42 ? `${name.slice(0, 20)}\u2026${name.slice(-20)}` : name; }

function captioned(node, text) { return make("figure", {}, node, text ? make("figcaption", {}, text) : null); }

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawnCharts.forEach((build, node) => plot(node, build)));
addEventListener("beforeprint", drawAll);

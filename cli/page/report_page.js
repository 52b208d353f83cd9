"use strict";
(() => {
  const runs = JSON.parse(document.getElementById("runs").textContent);
  const page = document.getElementById("page"), last = runs[runs.length - 1], two = runs.length > 1;
  const NAMES = two ? ["before", "after"] : [""], RUN_COLOURS = two ? ["--before", "--after"] : ["--after"];
  const redraws = [];
  let plots = 0;

  // ---- small tools
  const put = (parent, tag, text, cls) => {
    const e = document.createElement(tag);
    if (text !== undefined && text !== null) e.textContent = text;
    if (cls) e.className = cls;
    parent.append(e);
    return e;
  };
  const svg = (parent, tag, attributes) => {
    const e = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [k, v] of Object.entries(attributes)) e.setAttribute(k, v);
    parent.append(e);
    return e;
  };
  const colour = name => `var(${name})`;
  const clean = x => Number.isFinite(x) ? x : 0;
  const number = x => {
    x = clean(x);
    const a = Math.abs(x);
    if (a >= 1e6) return x.toLocaleString("en", { notation: "compact", maximumSignificantDigits: 3 });
    if (a >= 100) return Math.round(x).toLocaleString("en");
    return String(Number(x.toPrecision(a >= 10 ? 3 : 2)));
  };
  const time = s => {
    s = clean(s);
    if (s < 1) return `${Math.round(s * 1000)} ms`;
    if (s < 90) return `${s.toFixed(s < 10 ? 2 : 1)} s`;
    const h = Math.floor(s / 3600), m = Math.floor(s / 60) % 60, two = n => String(n).padStart(2, "0");
    return h ? `${h}:${two(m)}:${two(Math.floor(s) % 60)} h` : `${m}:${two(Math.floor(s) % 60)} min`;
  };
  const percent = x => `${x > 0 && x < .1 ? (100 * x).toFixed(1) : Math.round(100 * clean(x))} %`;
  const bytes = n => n >= 1e9 ? `${(n / 1e9).toFixed(1)} GB` : `${Math.round(n / 1e6)} MB`;
  const rate = (n, s) => s > 0 ? n / s : 0;

  const section = (title, words) => {
    const s = put(page, "section"), head = put(s, "div");
    put(head, "h2", title);
    put(head, "p", words);
    return put(s, "div");
  };

  // ---- lines over time
  const niceStep = (span, count) => {
    const raw = span / count, power = 10 ** Math.floor(Math.log10(raw)), m = raw / power;
    return (m <= 1 ? 1 : m <= 2 ? 2 : m <= 5 ? 5 : 10) * power;
  };
  const at = (points, t) => {
    let best = null;
    for (const p of points) if (!best || Math.abs(p[0] - t) < Math.abs(best[0] - t)) best = p;
    return best;
  };

  // series: {name, colour, points: [[seconds, value]], area}
  const lines = (parent, title, note, series, format, options = {}) => {
    const box = put(parent, "div", null, "plot"), h = put(box, "h3", title + " ");
    put(h, "span", note);
    series = series.filter(s => s.points.length > 0);
    if (!series.length) {
      put(box, "p", "Too short a run for a curve.", "none");
      return;
    }
    const height = options.height || 190, canvas = svg(box, "svg", { role: "img", "aria-label": `${title}, over time`, height });
    const t1 = Math.max(...runs.map(r => r.samples.t[r.samples.t.length - 1] || 0), 1e-3);
    const top = options.most || Math.max(...series.flatMap(s => s.points.map(p => p[1])), options.least || 1e-9);
    const step = options.most ? options.most / 4 : niceStep(top, 4), y1 = options.most || Math.ceil(top / step) * step;
    const draw = () => {
      const width = Math.max(box.clientWidth, 200), left = 46, right = 6, up = 8, down = 22;
      const x = t => left + (width - left - right) * t / t1, y = v => up + (height - up - down) * (1 - Math.min(v, y1) / y1);
      canvas.replaceChildren();
      canvas.setAttribute("viewBox", `0 0 ${width} ${height}`);
      for (let v = 0; v <= y1 * 1.0001; v += step) {
        svg(canvas, "line", { class: "grid", x1: left, x2: width - right, y1: Math.round(y(v)), y2: Math.round(y(v)) });
        svg(canvas, "text", { x: left - 8, y: y(v) + 4, "text-anchor": "end" }).textContent = format(v);
      }
      const tick = niceStep(t1, Math.max(2, Math.floor(width / 130)));
      for (let t = 0; t <= t1 * 1.0001; t += tick)
        svg(canvas, "text", { x: x(t), y: height - 5, "text-anchor": t === 0 ? "start" : t > .94 * t1 ? "end" : "middle" }).textContent =
          t === 0 ? "0" : t1 < 90 ? `${number(t)} s` : time(t);
      for (const s of series) {
        const d = s.points.map((p, i) => `${i ? "L" : "M"}${x(p[0]).toFixed(1)} ${y(p[1]).toFixed(1)}`).join("");
        const ends = [s.points[0][0], s.points[s.points.length - 1][0]];
        if (s.area)
          svg(canvas, "path", { d: `${d}L${x(ends[1]).toFixed(1)} ${y(0)}L${x(ends[0]).toFixed(1)} ${y(0)}Z`, fill: colour(s.colour), opacity: .13 });
        svg(canvas, "path", { class: "curve", d, stroke: colour(s.colour) });
      }
    };
    draw();
    redraws.push(draw);
    plots++;
    let tip = null, cross = null;
    const leave = () => { tip?.remove(); cross?.remove(); tip = cross = null; };
    const move = event => {
      const r = box.getBoundingClientRect(), px = event.clientX - r.left, t = Math.max(0, (px - 46) / (r.width - 52) * t1);
      leave();
      cross = svg(canvas, "line", { class: "cross", x1: px, x2: px, y1: 8, y2: height - 22 });
      tip = put(box, "div", null, "tip");
      put(tip, "div", time(at(series[0].points, t)[0]));
      for (const s of series) put(tip, "div", `${s.name ? s.name + ": " : ""}${format(at(s.points, t)[1])}`).style.color = colour(s.colour);
      tip.style.left = `${Math.min(Math.max(px + 10, 0), r.width - tip.offsetWidth)}px`;
    };
    canvas.addEventListener("pointermove", move);
    canvas.addEventListener("pointerdown", move);
    canvas.addEventListener("pointerleave", leave);
  };

  const legend = (parent, items) => {
    const list = put(parent, "ul", null, "legend");
    for (const [name, c, value] of items) {
      const li = put(list, "li");
      put(li, "i").style.background = colour(c);
      li.append(name + " ");
      if (value !== undefined) put(li, "b", value);
    }
  };
  const bar = (parent, parts, whole) => {
    const b = put(parent, "div", null, "bar");
    for (const [c, value, title] of parts) {
      if (!(value > 0)) continue;
      const i = put(b, "i");
      i.style.width = `${100 * value / whole}%`;
      i.style.background = colour(c);
      if (title) i.title = title;
    }
    return b;
  };
  // columns: [title, class]; a cell is text, or a function that fills the cell in
  const table = (parent, columns, rows) => {
    const t = put(put(parent, "div", null, "scroll"), "table"), head = put(put(t, "thead"), "tr"), body = put(t, "tbody");
    for (const [title, cls] of columns) put(head, "th", title, cls);
    for (const row of rows) {
      const tr = put(body, "tr", null, row.cls);
      (row.cells || row).forEach((cell, i) => {
        const td = put(tr, "td", typeof cell === "function" ? null : cell, columns[i][1]);
        if (typeof cell === "function") cell(td);
      });
    }
    plots++;
  };

  // ---- rates from the counters that were sampled
  // A moving mean, over several batches: rows come a batch at a time.
  const rates = (run, key, scale = 1) => {
    const t = run.samples.t, v = run.samples[key] || [], out = [];
    if (t.length < 2) return out;
    const whole = t[t.length - 1] - t[0], width = Math.min(Math.max(whole / 40, 6 * whole / Math.max(run.totals.batches, 1), .5), whole / 4);
    for (let i = 0, from = 0, to = 0; i < t.length; i++) {
      while (t[from + 1] <= t[i] - width / 2) from++;
      while (to + 1 < t.length && t[to] < t[i] + width / 2) to++;
      if (t[to] > t[from]) out.push([t[i], scale * Math.max(0, v[to] - v[from]) / (t[to] - t[from])]);
    }
    return out;
  };
  const levels = (run, key) => (run.samples[key] || []).map((v, i) => [run.samples.t[i], v]).filter(p => p[1] !== null);
  const each = make => runs.map((run, i) => ({ name: NAMES[i], colour: RUN_COLOURS[i], area: i + 1 === runs.length, points: make(run) }));

  // ---- the numbers of a run
  const busy = run => {
    const t = run.totals, all = t.forward + t.device_wait + t.output_wait;
    return all > 0 ? t.forward / all : 0;
  };
  const FACTS = [
    ["clips a second", r => rate(r.totals.rows, r.totals.seconds), number, 1],
    ["frames a second", r => rate(r.totals.frames, r.totals.seconds), number, 1],
    ["wall time", r => r.totals.seconds, time, -1],
    ["device busy", busy, percent, 1],
    ["processors busy", r => rate(r.totals.cpu, r.totals.seconds * r.machine.processors), percent, 0],
    ["peak memory", r => r.totals.peak_memory, bytes, -1],
  ];

  const header = () => {
    const h = put(page, "header"), m = last.model, t = last.totals;
    put(h, "p", `tubelet ${last.tubelet} · ${last.started.replace("T", " ").replace("Z", " UTC")} · ${last.machine.host}`, "kicker");
    put(h, "h1", two ? `Before and after: ${m.family}` : `${m.family} over ${number(t.ok + t.partial + t.failed)} videos`);
    put(h, "p", `${m.dtype} on ${m.device} by ${m.backend}${m.isa ? ` (${m.isa})` : ""}; ${m.feature}, ${m.height}×${m.width} → ${m.dim}. ` +
      `${t.ok} whole, ${t.partial} partial, ${t.failed} failed${t.skipped ? `, ${t.skipped} done before` : ""}${t.pending ? `, ${t.pending} left` : ""}.`, "lead");
    document.title = `tubelet: ${two ? "before and after" : m.family}`;
    const hero = put(page, "div", null, "hero");
    for (const [label, value, format, better] of FACTS) {
      const d = put(hero, "div"), v = value(last);
      put(d, "b", format(v));
      put(d, "span", label);
      if (!two) continue;
      const b = value(runs[0]), ratio = b > 0 ? v / b : 0, em = put(d, "em", `was ${format(b)} `);
      if (ratio > 0) put(em, "span", `×${ratio.toFixed(2)}`, !better || Math.abs(ratio - 1) < .03 ? "" : (ratio > 1) === (better > 0) ? "good" : "bad");
    }
    runs.forEach((run, i) => {
      if (run.advice) put(page, "p", (two ? `${NAMES[i]}: ` : "") + run.advice, "advice" + (run.advice_calm ? " calm" : ""));
    });
  };

  const throughput = () => {
    const box = section("Throughput", "What came out, second by second. Long dips are worth a look at the waits below.");
    lines(box, "Clips", "a second", each(r => rates(r, "rows")), number);
    lines(box, "Frames decoded", "a second", each(r => rates(r, "frames")), number, { height: 130 });
    if (two) legend(box, runs.map((r, i) => [NAMES[i], RUN_COLOURS[i]]));
  };

  const WAITS = [["idle_start", "start", "--wait"], ["idle_open", "opening videos", "--open"], ["idle_decode", "decode", "--decode"],
    ["idle_convert", "convert", "--convert"], ["idle_input", "no video left", "--faint"], ["output_wait", "writing", "--save"]];
  const device = () => {
    const box = section("Device", "Where the device's time went: computing, or waiting, and for what.");
    runs.forEach((run, i) => {
      const t = run.totals, whole = t.forward + t.device_wait + t.output_wait || 1;
      const p = put(box, "div", null, "plot");
      if (two) put(p, "h3", NAMES[i]);
      const parts = [["--forward", t.forward, "forward"], ...WAITS.map(([key, name, c]) => [c, t[key], `waiting: ${name}`])];
      bar(p, parts, whole);
      legend(p, parts.filter(x => x[1] / whole >= .001).map(([c, v, name]) => [name, c, percent(v / whole)]));
      plots++;
    });
    lines(box, "Device busy", "share of the time", each(r => rates(r, "forward")), percent, { most: 1, height: 130 });
    if (last.samples.gpu_use) {
      lines(box, "GPU use", "as the driver says, mean of all", each(r => levels(r, "gpu_use")), percent, { most: 1, height: 110 });
      lines(box, "GPU memory", "in use", each(r => levels(r, "gpu_memory")), bytes, { height: 110 });
      lines(box, "GPU power", "watts", each(r => levels(r, "gpu_power")), number, { height: 110 });
      lines(box, "GPU clock", "MHz", each(r => levels(r, "gpu_clock")), number, { height: 110 });
    }
  };

  const STAGES = [["init", "open", "--open", null], ["decode", "decode", "--decode", "frames"], ["convert", "convert", "--convert", "frames"],
    ["forward", "forward", "--forward", "rows"], ["save", "save", "--save", null]];
  const CPU = [["decode_cpu", "decode", "--decode"], ["convert_cpu", "convert", "--convert"], ["forward_cpu", "forward", "--forward"],
    ["other_cpu", "decoders’ own threads and all else", "--save"]];
  const stages = () => {
    const box = section("Stages", "Seconds of work, summed over threads. Stages overlap: their sum is more than the wall time.");
    const most = Math.max(...runs.flatMap(r => STAGES.map(s => r.totals[s[0]])), 1e-9);
    table(box, [["stage"], ["", "wide"], ...runs.map((r, i) => [two ? `work, ${NAMES[i]}` : "work", "n"]), ["speed", "n"]], STAGES.map(([key, name, c, of]) => [
      name,
      td => runs.forEach((r, i) => bar(td, [[two && i === 0 ? "--before" : c, r.totals[key], name]], most)),
      ...runs.map(r => time(r.totals[key])),
      of ? `${number(rate(last.totals[of], last.totals[key]))} ${of === "rows" ? "clips" : "frames"}/s` : "",
    ]));
    runs.forEach((r, i) => {
      const t = r.totals, all = Math.max(t.seconds * r.machine.processors, t.cpu), idle = Math.max(0, all - t.cpu);
      const p = put(box, "div", null, "plot"), parts = CPU.map(([key, name, c]) => [c, t[key] ?? 0, name]);
      put(put(p, "h3", two ? `Processors, ${NAMES[i]} ` : "Processors "), "span", `where the time of all ${r.machine.processors} went`);
      bar(p, parts, all);
      legend(p, [...parts, ["--line", idle, "idle"]].map(([c, v, name]) => [name, c, percent(rate(v, all))]));
      plots++;
    });
    lines(box, "Processors busy", `of ${last.machine.processors}`, each(r => rates(r, "cpu", 1 / r.machine.processors)), percent, { most: 1, height: 130 });
    if (!two) lines(box, "By stage", "their part of it", CPU.slice(0, 3).filter(([key]) => last.samples[key]).map(([key, name, c]) => (
      { name, colour: c, points: rates(last, key, 1 / last.machine.processors) })), percent, { height: 110 });
    lines(box, "Memory", "resident", each(r => levels(r, "memory")), bytes, { height: 110 });
  };

  const queues = () => {
    const box = put(section("Queues", "A full line of clips means that the device is the bottleneck, an empty one that decoding is."), "div", null, "pair");
    const q = last.queues;
    for (const [key, title, note] of [["ready", "Clips before the device", `room for ${q.ready}`], ["slots", "Frame slots in use", `of ${q.slots}`],
      ["jobs", "Videos waiting for a worker", ""], ["results", "Results waiting for the writer", ""]])
      lines(put(box, "div"), title, note, each(r => levels(r, key)), number, { height: 120, least: 4 });
  };

  const slowest = () => {
    const box = section("Slowest videos", "By the seconds that they kept a thread or the device, over their length.");
    const rows = last.slowest, work = v => v.init + v.decode + v.convert + v.forward + v.save;
    if (!rows.length) return put(box, "p", "No video was finished.", "none");
    const most = Math.max(...rows.map(work), 1e-9);
    table(box, [["video", "name"], ["format", "fix"], ["frames", "n"], ["clips", "n"], ["work", "n"], ["", "wide"]], rows.map(v => [
      v.name, v.codec ? `${v.codec} ${v.width}×${v.height}` : "", number(v.frames), number(v.rows), time(work(v)),
      td => bar(td, STAGES.map(([key, name, c]) => [c, v[key], `${name} ${time(v[key])}`]), most),
    ]));
    legend(box, STAGES.map(([, name, c]) => [name, c]));
  };

  const formats = () => {
    const box = section("Formats", "How long a frame of each codec and size takes one thread to decode, the slowest first. Red: more than twice the median cost of a pixel, frames of less than 50,000 pixels apart.");
    const rows = [...last.formats].filter(f => f.frames > 0);
    const cost = f => f.decode / f.frames / (f.width * f.height / 1e6);      // seconds per megapixel
    const large = f => f.width * f.height >= 5e4;                           // for small frames, a fixed cost dominates
    const costs = rows.filter(large).map(cost).sort((a, b) => a - b), median = costs[Math.floor(costs.length / 2)];
    if (!rows.length) return put(box, "p", "No video was decoded.", "none");
    const frame = f => f.decode / f.frames, most = Math.max(...rows.map(frame), 1e-9);
    rows.sort((a, b) => frame(b) - frame(a));
    table(box, [["codec"], ["size"], ["videos", "n"], ["frames/s", "n"], ["ms a frame", "n"], ["", "wide"], ["ms a megapixel", "n"]], rows.slice(0, 16).map(f => [
      f.codec, `${f.width}×${f.height}`, number(f.videos), number(rate(f.frames, f.decode)), (1000 * frame(f)).toFixed(2),
      td => bar(td, [["--decode", frame(f), ""]], most),
      td => { put(td, "span", (1000 * cost(f)).toFixed(2), large(f) && median > 0 && cost(f) > 2 * median ? "bad" : ""); },
    ]));
    if (rows.length > 16) put(box, "p", `… and ${rows.length - 16} formats that take less time a frame.`, "none");
  };

  const failures = () => {
    const box = section("Failures", "Videos that gave nothing, and damaged ones that gave what they could.");
    if (!last.failures.length) return put(box, "p", "None.", "none");
    table(box, [["video", "name"], ["what"], ["why", "name"]], last.failures.map(f => [
      f.name, td => put(td, "span", f.status, f.status === "failed" ? "bad" : ""), f.reason]));
    if (last.failures_more > 0) put(box, "p", `… and ${last.failures_more} more.`, "none");
  };

  const settings = () => {
    const box = section("Settings", two ? "What differs between the two is set in bold." : "What the run was told, and what it chose.");
    const keys = [...new Set(runs.flatMap(r => r.settings.map(s => s[0])))];
    const find = (r, key) => (r.settings.find(s => s[0] === key) || ["", ""])[1];
    table(box, [["setting"], ...runs.map((r, i) => [NAMES[i] || "value", "name"])], keys.map(key => ({
      cls: two && find(runs[0], key) !== find(last, key) ? "other" : "", cells: [key, ...runs.map(r => find(r, key))] })));
  };

  header();
  throughput();
  device();
  stages();
  queues();
  formats();
  slowest();
  failures();
  settings();
  const foot = put(page, "footer");
  runs.forEach((r, i) => { const p = put(foot, "p", two ? `${NAMES[i]}: ` : ""); put(p, "code", r.command); });
  redraws.forEach(draw => draw()); // now that every element has its width
  let width = innerWidth;
  addEventListener("resize", () => {
    if (innerWidth === width) return;
    width = innerWidth;
    redraws.forEach(draw => draw());
  });
  document.documentElement.dataset.plots = plots;
})();

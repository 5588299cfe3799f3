// The review of suspect labels, and its decisions out of the browser.
(function () {
  const byId = (id) => document.getElementById(id);
  const state = JSON.parse(byId("state").textContent);
  const list = byId("cards");
  const suspects = state.suspects.map(([sample, id, given, suggested, probability], k) => ({
    k, sample, id, given, suggested, probability,
  }));
  const key = "noiselayer-report:" + state.id;
  const words = { accept: "accepted", reject: "rejected", pick: "picked" };
  let decisions = new Map(); // place of the suspect -> {decision, label}
  let past = []; // [place, what was decided before or null], oldest first
  let cards = [];
  let shown = [];
  let active = null;
  let picking = null;

  function valid(decision) {
    return decision !== null && typeof decision === "object" && Object.hasOwn(words, decision.decision) &&
      Number.isInteger(decision.label) && decision.label >= 0 && decision.label < state.classNames.length;
  }

  function load() {
    try {
      const saved = JSON.parse(localStorage.getItem(key) || "null");
      if (!saved) return;
      const place = (k) => Number.isInteger(k) && k >= 0 && k < suspects.length;
      decisions = new Map(saved.decisions.filter(([k, d]) => place(k) && valid(d)));
      past = saved.past.filter(([k, d]) => place(k) && (d === null || valid(d)));
    } catch (error) {
      decisions = new Map();
      past = [];
      byId("storage").hidden = !(error instanceof DOMException);
    }
  }

  function save() {
    try {
      localStorage.setItem(key, JSON.stringify({ decisions: [...decisions], past }));
    } catch (error) {
      byId("storage").hidden = false;
    }
  }

  function say(text) {
    byId("said").textContent = text;
  }

  function isolate(name) {
    return "\u2068" + name + "\u2069";
  }

  function inWords(k) {
    const made = decisions.get(k);
    if (!made) return "";
    const name = isolate(state.shownNames[made.label]);
    return made.decision === "reject" ? "Kept as " + name : "Changed to " + name;
  }

  function paint(k) {
    const card = cards[k];
    const made = decisions.get(k);
    const verdict = card.querySelector(".verdict");
    verdict.textContent = inWords(k);
    verdict.hidden = !made;
    card.classList.toggle("done", Boolean(made));
    for (const button of card.querySelectorAll("button")) {
      button.setAttribute("aria-pressed", String(Boolean(made) && made.decision === button.dataset.do));
    }
  }

  function paintProgress() {
    byId("bar").value = decisions.size;
    byId("progress").textContent = decisions.size + " of " + suspects.length + " reviewed";
    byId("undo").disabled = past.length === 0;
    byId("clear").disabled = decisions.size === 0;
    byId("start").textContent = decisions.size === 0 ? "Start the review" : "Go on with the review";
  }

  const orders = {
    sure: (a, b) => a.k - b.k,
    unsure: (a, b) => b.k - a.k,
    given: (a, b) => a.given - b.given || a.k - b.k,
    suggested: (a, b) => a.suggested - b.suggested || a.k - b.k,
    sample: (a, b) => a.sample - b.sample || a.k - b.k,
  };

  function matches(suspect) {
    const pair = byId("pair").value;
    const status = byId("status").value;
    return (!pair || pair === suspect.given + "-" + suspect.suggested) &&
      (!status || (status === "done") === decisions.has(suspect.k));
  }

  function arrange() {
    const ordered = suspects.slice().sort(orders[byId("sort").value]);
    list.append(...ordered.map((suspect) => cards[suspect.k]));
    filter(ordered);
  }

  function filter(ordered) {
    const all = ordered || [...list.children].map((card) => suspects[card.dataset.k]);
    for (const suspect of all) cards[suspect.k].hidden = !matches(suspect);
    shown = all.filter((suspect) => !cards[suspect.k].hidden).map((suspect) => suspect.k);
    byId("none").hidden = shown.length > 0;
    if (!shown.includes(active)) activate(shown.length ? shown[0] : null);
  }

  // One card at a time is in the order of the tabulator key; arrows reach the others.
  function activate(k) {
    if (active !== null) setStops(active, -1);
    active = k;
    if (active !== null) setStops(active, 0);
  }

  function setStops(k, stop) {
    cards[k].tabIndex = stop;
    for (const button of cards[k].querySelectorAll("button")) button.tabIndex = stop;
  }

  function focus(k) {
    activate(k);
    const smooth = !matchMedia("(prefers-reduced-motion: reduce)").matches;
    cards[k].focus({ preventScroll: true });
    cards[k].scrollIntoView({ block: "nearest", behavior: smooth ? "smooth" : "instant" });
  }

  function decide(k, decision, label) {
    past.push([k, decisions.get(k) || null]);
    decisions.set(k, { decision, label });
    save();
    paint(k);
    paintProgress();
    say("Sample " + suspects[k].sample + ": " + inWords(k) + ". " + byId("progress").textContent + ".");
    const place = shown.indexOf(k);
    const rest = shown.slice(place + 1).concat(shown.slice(0, Math.max(place, 0)));
    const next = rest.find((other) => !decisions.has(other));
    filter();
    if (next !== undefined) focus(next);
    else if (shown.includes(k)) focus(k);
    else byId("undo").focus();
  }

  function undo() {
    const last = past.pop();
    if (!last) return;
    const [k, before] = last;
    if (before) decisions.set(k, before);
    else decisions.delete(k);
    save();
    paint(k);
    paintProgress();
    filter();
    say("Undone: sample " + suspects[k].sample + ". " + byId("progress").textContent + ".");
    if (shown.includes(k)) focus(k);
  }

  function act(k, what) {
    if (what === "accept") decide(k, "accept", suspects[k].suggested);
    else if (what === "reject") decide(k, "reject", suspects[k].given);
    else if (what === "pick") openPicker(k);
  }

  function move(k, step) {
    const place = shown.indexOf(k) + step;
    if (place >= 0 && place < shown.length) focus(shown[place]);
  }

  function moveRow(k, down) {
    const here = cards[k].getBoundingClientRect();
    let best = null;
    let least = Infinity;
    for (const other of shown) {
      const box = cards[other].getBoundingClientRect();
      const rows = down ? box.top - here.top : here.top - box.top;
      if (rows < here.height / 2) continue;
      const distance = 1000 * rows + Math.abs(box.left - here.left);
      if (distance < least) [best, least] = [other, distance];
    }
    if (best !== null) focus(best);
  }

  const keys = {
    a: (k) => act(k, "accept"),
    r: (k) => act(k, "reject"),
    p: (k) => act(k, "pick"),
    u: () => undo(),
    ArrowRight: (k) => move(k, 1),
    ArrowLeft: (k) => move(k, -1),
    ArrowDown: (k) => moveRow(k, true),
    ArrowUp: (k) => moveRow(k, false),
    Home: () => shown.length && focus(shown[0]),
    End: () => shown.length && focus(shown[shown.length - 1]),
  };

  function pressed(event) {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const card = event.target.closest(".card");
    const name = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (!card || !Object.hasOwn(keys, name)) return;
    event.preventDefault();
    keys[name](Number(card.dataset.k));
  }

  // ---- another class than the suggested one

  const LISTED = 60;

  function openPicker(k) {
    picking = k;
    byId("search").value = "";
    offer();
    byId("picker").showModal();
    byId("search").focus();
  }

  function found() {
    const wanted = byId("search").value.trim().toLowerCase();
    const names = state.classNames;
    const places = [];
    for (let k = 0; k < names.length; k++) if (names[k].toLowerCase().includes(wanted)) places.push(k);
    return places;
  }

  function offer() {
    const places = found();
    const items = places.slice(0, LISTED).map((place) => {
      const item = document.createElement("li");
      const button = document.createElement("button");
      const name = document.createElement("bdi");
      button.type = "button";
      name.textContent = state.shownNames[place];
      button.append(name);
      button.addEventListener("click", () => choose(place));
      item.append(button);
      return item;
    });
    byId("choices").replaceChildren(...items);
    byId("more").hidden = places.length > 0 && places.length <= LISTED;
    byId("more").textContent =
      places.length === 0 ? "No class has that in its name." : places.length - LISTED + " more: type to find them.";
  }

  function choose(place) {
    const { given, suggested } = suspects[picking];
    byId("picker").close();
    // Whoever picks the suggestion has accepted it, and whoever picks the label has kept it.
    decide(picking, place === suggested && place !== given ? "accept" : place === given ? "reject" : "pick", place);
  }

  // ---- out of the browser, into a file

  function decided() {
    return suspects
      .filter((suspect) => decisions.has(suspect.k))
      .sort(orders.sample)
      .map((suspect) => {
        const made = decisions.get(suspect.k);
        return {
          sample: suspect.sample,
          id: suspect.id,
          given_label: state.classNames[suspect.given],
          suggested_label: state.classNames[suspect.suggested],
          error_probability: suspect.probability,
          decision: made.decision,
          new_label: state.classNames[made.label],
        };
      });
  }

  function csv() {
    const columns = [
      "sample", "id", "given_label", "suggested_label", "error_probability", "decision", "new_label",
    ];
    const cell = (value) => {
      const text = String(value);
      return /[",\r\n]|^\s|\s$/.test(text) ? '"' + text.replaceAll('"', '""') + '"' : text;
    };
    const rows = decided().map((row) => columns.map((column) => cell(row[column])).join(","));
    return [columns.join(","), ...rows, ""].join("\n");
  }

  function json() {
    const content = { format: 1, report: state.id, class_names: state.classNames, decisions: decided() };
    return JSON.stringify(content, null, 2) + "\n";
  }

  function download(name, type, text) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    say(decisions.size + " decisions exported as " + name + ".");
  }

  function review() {
    cards = [...list.children];
    cards.forEach((card, k) => setStops(k, -1));
    load();
    cards.forEach((card, k) => paint(k));
    paintProgress();
    arrange();
    list.addEventListener("keydown", pressed);
    list.addEventListener("click", (event) => {
      const card = event.target.closest(".card");
      const button = event.target.closest("button");
      if (!card) return;
      activate(Number(card.dataset.k));
      if (button) act(Number(card.dataset.k), button.dataset.do);
    });
    byId("pair").addEventListener("change", () => filter());
    byId("status").addEventListener("change", () => filter());
    byId("sort").addEventListener("change", arrange);
    byId("undo").addEventListener("click", undo);
    byId("start").addEventListener("click", () => {
      const next = shown.find((k) => !decisions.has(k));
      if (next !== undefined) focus(next);
      else if (shown.length) focus(shown[0]);
    });
    byId("clear").addEventListener("click", () => {
      if (!confirm("Forget all " + decisions.size + " decisions on this page?")) return;
      decisions = new Map();
      past = [];
      save();
      cards.forEach((card, k) => paint(k));
      paintProgress();
      filter();
    });
    byId("csv").addEventListener("click", () => download("decisions.csv", "text/csv;charset=utf-8", csv()));
    byId("json").addEventListener("click", () => download("decisions.json", "application/json", json()));
    byId("search").addEventListener("input", offer);
    byId("search").addEventListener("keydown", (event) => {
      if (event.key !== "Enter") return;
      event.preventDefault();
      const places = found();
      if (places.length) choose(places[0]);
    });
    byId("cancel").addEventListener("click", () => byId("picker").close());
    byId("picker").addEventListener("close", () => {
      if (active !== null && document.activeElement === document.body) cards[active].focus();
    });
  }

  if (list) review();
})();

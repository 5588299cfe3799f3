// The review of suspect labels, and its decisions out of the browser.
(function () {
  const byId = (id) => document.getElementById(id);
  const state = JSON.parse(byId("state").textContent);
  const list = byId("cards");
  const suspects = state.suspects.map(([sample, id, given, suggested, probability, chance], k) => ({
    k, sample, id, given, suggested, probability, chance,
  }));
  const key = "noiselayer-report:" + state.id;
  const WITHOUT_LABEL = {
    unsure: "Left open: unsure", none: "None of the classes: label removed", exclude: "Sample excluded",
  };
  const kinds = ["accept", "reject", "pick", ...Object.keys(WITHOUT_LABEL)];
  const PER_PAGE = 20;
  let read = null; // what this tab has last read from the browser's storage, or written there
  let decisions = new Map(); // place of the suspect -> {decision, label}
  let past = []; // [place, what was decided before or null], oldest first
  let cards = [];
  let shown = [];
  let active = null;
  let picking = null;
  let openPicker = null;

  function valid(decision) {
    if (decision === null || typeof decision !== "object" || !kinds.includes(decision.decision)) return false;
    if (Object.hasOwn(WITHOUT_LABEL, decision.decision)) return decision.label === null;
    return Number.isInteger(decision.label) && decision.label >= 0 && decision.label < state.classNames.length;
  }

  function load() {
    try {
      decisions = new Map();
      past = [];
      read = localStorage.getItem(key);
      const saved = JSON.parse(read || "null");
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
      const text = JSON.stringify({ decisions: [...decisions], past });
      localStorage.setItem(key, text);
      read = text;
    } catch (error) {
      byId("storage").hidden = false;
    }
  }

  // Another tab of this report may have saved since: its decisions are taken over, never written over.
  function takenOver() {
    try {
      if (localStorage.getItem(key) === read) return false;
    } catch (error) {
      return false;
    }
    load();
    byId("tabs").hidden = false;
    cards.forEach((card, k) => paint(k));
    paintProgress();
    filter();
    return true;
  }

  // Whoever is unsure leaves the question open.
  function reviewed(k) {
    return decisions.has(k) && decisions.get(k).decision !== "unsure";
  }

  function reviewedCount() {
    return [...decisions.keys()].filter(reviewed).length;
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
    if (made.label === null) return WITHOUT_LABEL[made.decision];
    const name = isolate(state.shownNames[made.label]);
    return made.decision === "reject" ? "Kept as " + name : (suspects[k].given < 0 ? "Labelled " : "Changed to ") + name;
  }

  function paint(k) {
    const card = cards[k];
    const made = decisions.get(k);
    const verdict = card.querySelector(".verdict");
    verdict.textContent = inWords(k);
    verdict.hidden = !made;
    card.classList.toggle("done", reviewed(k));
    for (const button of card.querySelectorAll("button")) {
      button.setAttribute("aria-pressed", String(Boolean(made) && made.decision === button.dataset.do));
    }
  }

  function paintProgress() {
    const count = reviewedCount();
    const unsure = decisions.size - count;
    byId("bar").value = count;
    byId("progress").textContent =
      count + " of " + suspects.length + " reviewed" + (unsure ? ", " + unsure + " unsure" : "");
    byId("undo").disabled = past.length === 0;
    byId("clear").disabled = decisions.size === 0;
    byId("start").textContent = decisions.size === 0 ? "Start the review" : "Go on with the review";
  }

  const orders = {
    sure: (a, b) => b.probability - a.probability || a.k - b.k,
    unsure: (a, b) => a.probability - b.probability || b.k - a.k,
    given: (a, b) => a.given - b.given || a.k - b.k,
    suggested: (a, b) => a.suggested - b.suggested || a.k - b.k,
    sample: (a, b) => a.sample - b.sample || a.k - b.k,
  };

  function matches(suspect) {
    const pair = byId("pair").value;
    const status = byId("status").value;
    return (!pair || pair === suspect.given + "-" + suspect.suggested) &&
      (!status || status === (reviewed(suspect.k) ? "done" : "open") ||
        (status === "unsure" && decisions.has(suspect.k) && !reviewed(suspect.k)));
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
    turnTo(active);
  }

  // The page that a card is on; without scripts, and on paper, all cards are there.
  function turnTo(k) {
    const page = Math.max(0, Math.floor(shown.indexOf(k) / PER_PAGE));
    shown.forEach((one, place) => {
      cards[one].classList.toggle("elsewhere", Math.floor(place / PER_PAGE) !== page);
    });
    const first = page * PER_PAGE;
    const last = Math.min(first + PER_PAGE, shown.length);
    byId("pager").hidden = shown.length <= PER_PAGE;
    byId("page").textContent = first + 1 + " to " + last + " of " + shown.length;
    byId("before").disabled = page === 0;
    byId("after").disabled = last === shown.length;
    byId("before").onclick = () => focus(shown[first - PER_PAGE]);
    byId("after").onclick = () => focus(shown[first + PER_PAGE]);
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
    turnTo(k);
    const smooth = !matchMedia("(prefers-reduced-motion: reduce)").matches;
    cards[k].focus({ preventScroll: true });
    cards[k].scrollIntoView({ block: "nearest", behavior: smooth ? "smooth" : "instant" });
  }

  function decide(k, decision, label) {
    takenOver();
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
    if (takenOver()) return;
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
    const { given, suggested } = suspects[k];
    if (given < 0 && what === "reject") openPicker((picking = k)); // no label that could be kept
    else if (what === "accept" && suggested < 0) openPicker((picking = k));
    else if (what === "accept" && given !== suggested) decide(k, "accept", suggested);
    else if (what === "accept" || what === "reject") decide(k, "reject", given);
    else if (what === "pick") openPicker((picking = k));
    else if (what === "enlarge") enlarge(k);
    else decide(k, what, null);
  }

  function enlarge(k) {
    const small = cards[k].querySelector("img.sample");
    if (!small) return;
    const large = document.createElement("img");
    large.src = small.src;
    large.alt = small.alt;
    large.className = small.classList.contains("pixels") ? "pixels" : "";
    byId("picture").replaceChildren(large);
    byId("caption").textContent = cards[k].getAttribute("aria-label");
    byId("zoom").showModal();
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
      if (!box.height) continue; // on another page
      const rows = down ? box.top - here.top : here.top - box.top;
      if (rows < here.height / 2) continue;
      const distance = 1000 * rows + Math.abs(box.left - here.left);
      if (distance < least) [best, least] = [other, distance];
    }
    if (best !== null) focus(best);
    else byId(down ? "after" : "before").click();
  }

  const keys = {
    k: (k) => act(k, "reject"),
    c: (k) => act(k, "accept"),
    o: (k) => act(k, "pick"),
    s: (k) => act(k, "unsure"),
    n: (k) => act(k, "none"),
    x: (k) => act(k, "exclude"),
    e: (k) => act(k, "enlarge"),
    // what they were called before
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

  function choose(place) {
    const { given, suggested } = suspects[picking];
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
          given_label: state.classNames[suspect.given] ?? "",
          suggested_label: state.classNames[suspect.suggested] ?? "",
          error_probability: suspect.probability ?? "",
          decision: made.decision,
          new_label: made.label === null ? "" : state.classNames[made.label],
          ...(suspect.chance === undefined ? {} : { inclusion_probability: suspect.chance }),
        };
      });
  }

  function give(name, type, text) {
    download(name, type, text);
    say(decisions.size + " decisions exported as " + name + ".");
  }

  function review() {
    cards = [...list.children];
    cards.forEach((card, k) => setStops(k, -1));
    openPicker = classPicker(state, choose);
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
      else if (event.target.matches("img.sample")) act(Number(card.dataset.k), "enlarge");
    });
    addEventListener("storage", (event) => event.key === key && takenOver());
    byId("pair").addEventListener("change", () => filter());
    byId("status").addEventListener("change", () => filter());
    byId("sort").addEventListener("change", arrange);
    byId("undo").addEventListener("click", undo);
    byId("start").addEventListener("click", () => {
      const open = shown.filter((k) => !reviewed(k));
      const next = open.find((k) => !decisions.has(k)) ?? open[0];
      if (next !== undefined) focus(next);
      else if (shown.length) focus(shown[0]);
    });
    byId("clear").addEventListener("click", () => {
      if (takenOver()) return;
      if (!confirm("Forget all " + decisions.size + " decisions on this page?")) return;
      decisions = new Map();
      past = [];
      save();
      cards.forEach((card, k) => paint(k));
      paintProgress();
      filter();
    });
    byId("csv").addEventListener("click", () => give("decisions.csv", "text/csv;charset=utf-8", decisionsAsCsv(decided())));
    byId("json").addEventListener("click", () => give("decisions.json", "application/json", decisionsAsJson(state, decided())));
    byId("shut").addEventListener("click", () => byId("zoom").close());
    byId("picture").addEventListener("click", () => byId("zoom").close());
    for (const dialog of [byId("picker"), byId("zoom")]) {
      dialog.addEventListener("close", () => {
        if (active !== null && document.activeElement === document.body) cards[active].focus();
      });
    }
  }

  if (list) review();
})();

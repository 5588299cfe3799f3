// Another class than the suggested one: a dialog with a search; what it gives back opens it.
function classPicker(state, choose) {
  const LISTED = 60;
  const byId = (id) => document.getElementById(id);

  function found() {
    const wanted = byId("search").value.trim().toLowerCase();
    const names = state.classNames;
    const places = [];
    for (let k = 0; k < names.length; k++) if (names[k].toLowerCase().includes(wanted)) places.push(k);
    return places;
  }

  function take(place) {
    byId("picker").close();
    choose(place);
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
      button.addEventListener("click", () => take(place));
      item.append(button);
      return item;
    });
    byId("choices").replaceChildren(...items);
    byId("more").hidden = places.length > 0 && places.length <= LISTED;
    byId("more").textContent =
      places.length === 0 ? "No class has that in its name." : places.length - LISTED + " more: type to find them.";
  }

  byId("search").addEventListener("input", offer);
  byId("search").addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    const places = found();
    if (places.length) take(places[0]);
  });
  byId("cancel").addEventListener("click", () => byId("picker").close());
  return () => {
    byId("search").value = "";
    offer();
    byId("picker").showModal();
    byId("search").focus();
  };
}

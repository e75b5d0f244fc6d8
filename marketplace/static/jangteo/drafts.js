// Keeps what was typed into a form marked data-draft="name", on this device, until it was saved:
// when the connection drops, the session ends or the page is left, it is there again.
//
// A draft belongs to one user, one address and one name. Passwords, files, hidden fields, one-time
// codes and whatever is marked data-private are never kept. The page that follows a successful
// save carries a message of success; that, and logging out, is what removes a draft.

const PREFIX = "jangteo:draft:";
const SENT = "jangteo:sent";
const DAYS_KEPT = 7;
const NEVER = "[type=password], [type=file], [type=hidden], [autocomplete=one-time-code], [data-private]";

const user = document.documentElement.dataset.user ?? "";
const keyOf = (form) => `${PREFIX}${user}:${location.pathname}:${form.dataset.draft}`;

const fieldsOf = (form) =>
  [...form.elements].filter((field) => field.name && field.matches("input, select, textarea") && !field.matches(NEVER));

const isTicked = (field) => field.type === "checkbox" || field.type === "radio";
const nameOf = (field) => (isTicked(field) ? `${field.name}=${field.value}` : field.name);
const valueOf = (field) => (isTicked(field) ? field.checked : field.value);

const read = (form) => Object.fromEntries(fieldsOf(form).map((field) => [nameOf(field), valueOf(field)]));

const write = (form, values) => {
  let changed = false;
  for (const field of fieldsOf(form)) {
    const kept = values[nameOf(field)];
    if (kept === undefined || kept === valueOf(field)) continue;
    if (isTicked(field)) field.checked = kept;
    else field.value = kept;
    changed = true;
  }
  return changed;
};

const keep = (form) => {
  try {
    localStorage.setItem(keyOf(form), JSON.stringify({ at: Date.now(), values: read(form) }));
  } catch {
    // No room, or storage is switched off: the form works without it.
  }
};

const stored = (form) => {
  try {
    return JSON.parse(localStorage.getItem(keyOf(form)));
  } catch {
    return null;
  }
};

const forgetOld = () => {
  const oldest = Date.now() - DAYS_KEPT * 24 * 60 * 60 * 1000;
  for (const key of Object.keys(localStorage).filter((name) => name.startsWith(PREFIX))) {
    try {
      if (JSON.parse(localStorage.getItem(key)).at < oldest) localStorage.removeItem(key);
    } catch {
      localStorage.removeItem(key);
    }
  }
};

const forgetAll = () => {
  for (const key of Object.keys(localStorage)) {
    if (key.startsWith(`${PREFIX}${user}:`)) localStorage.removeItem(key);
  }
};

const forgetSaved = () => {
  const key = sessionStorage.getItem(SENT);
  sessionStorage.removeItem(SENT);
  if (key && document.querySelector("[data-success]")) localStorage.removeItem(key);
};

const watch = (form) => {
  const before = read(form);
  const notice = form.querySelector("[data-draft-restored]");
  const draft = stored(form);
  // A form that came back with errors holds what was typed already.
  if (draft && !form.querySelector(".is-invalid") && write(form, draft.values) && notice) {
    notice.hidden = false;
    notice.querySelector("button")?.addEventListener("click", () => {
      write(form, before);
      localStorage.removeItem(keyOf(form));
      notice.hidden = true;
    });
  }
  let timer;
  form.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => keep(form), 300);
  });
  window.addEventListener("pagehide", () => {
    if (timer) clearTimeout(timer), form.dataset.sent || keep(form);
  });
  form.addEventListener("submit", () => {
    clearTimeout(timer);
    keep(form);
    sessionStorage.setItem(SENT, keyOf(form));
  });
};

forgetOld();
forgetSaved();
for (const form of document.querySelectorAll("form[data-draft]")) watch(form);
document.querySelector("form[data-log-out]")?.addEventListener("submit", forgetAll);
document.addEventListener("htmx:afterRequest", (event) => {
  const form = event.detail.elt.closest("form[data-draft]");
  if (form && event.detail.successful) localStorage.removeItem(keyOf(form));
});

// What every page does: opens its menu on a phone, submits a form once, says when the connection
// is gone, and tells htmx how to behave under a strict content security policy.

const banner = document.querySelector("[data-offline]");

const tellConnection = () => {
  if (banner) banner.hidden = navigator.onLine;
};
window.addEventListener("online", tellConnection);
window.addEventListener("offline", tellConnection);
tellConnection();

document.addEventListener("click", (event) => {
  const toggle = event.target.closest("[data-toggle-menu]");
  if (!toggle) return;
  const menu = document.getElementById(toggle.getAttribute("aria-controls"));
  const isOpen = menu.classList.toggle("show");
  toggle.setAttribute("aria-expanded", String(isOpen));
});

// A second press of a button must not send the form again.
const submitButtons = (form) => [
  ...form.querySelectorAll("button:not([type=button]), input[type=submit]"),
];
const release = (form) => {
  delete form.dataset.sent;
  form.removeAttribute("aria-busy");
  for (const button of submitButtons(form)) button.disabled = false;
};

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented || form.method !== "post") return;
  if (!navigator.onLine) {
    event.preventDefault();
    tellConnection();
    banner?.scrollIntoView();
    return;
  }
  if (form.dataset.sent) {
    event.preventDefault();
    return;
  }
  form.dataset.sent = "yes";
  form.setAttribute("aria-busy", "true");
  // After the submission is put together: a disabled button's value would not be sent.
  setTimeout(() => {
    for (const button of submitButtons(form)) button.disabled = true;
  });
});

// A page that comes back from the browser's memory comes back with its buttons disabled.
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) release(form);
});

// htmx: the names of its events stand here and nowhere else.
document.addEventListener("htmx:afterRequest", (event) => {
  const form = event.detail.elt.closest("form");
  if (form) release(form);
});
document.addEventListener("htmx:sendError", () => {
  if (banner) banner.hidden = false;
});

// The first wrong field of a form that came back is where the work is.
document.querySelector("form .is-invalid")?.focus();

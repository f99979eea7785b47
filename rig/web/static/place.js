// A page that answers a form stands at the form's address; its own address is another one. To stay
// live, and not to send the form again when it is reloaded, it moves there.
const { at } = document.body.dataset;
if (at && at !== location.pathname) history.replaceState(null, "", at);

// The page behind a link in a mail. Whoever only loads it, such as a scanner of links, uses nothing
// up: that takes the button.
{
  const token = location.hash.slice(1);
  // Neither the history nor a bookmark, and no page that is opened from here, gets the token.
  history.replaceState(null, '', location.pathname);

  /** @param {string} id */
  const part = (id) => /** @type {HTMLElement} */ (document.getElementById(id));
  const form = /** @type {HTMLFormElement} */ (part('form'));
  const input = /** @type {HTMLInputElement} */ (form.elements.namedItem('password'));
  const button = /** @type {HTMLButtonElement} */ (form.querySelector('button'));
  const field = form.dataset.field ?? '';
  const answers = ['done', 'invalid', 'refused', 'failed'];

  /** @param {string | null} shown */
  const show = (shown) => {
    for (const id of answers) part(id).hidden = id !== shown;
    form.hidden = shown === 'done' || shown === 'invalid';
  };

  /** @param {number} status */
  const answerOf = (status) => {
    if (status === 204) return 'done';
    if (status === 401 || status === 400) return 'invalid';
    return status === 422 ? 'refused' : 'failed';
  };

  const send = async () => {
    const given = field === '' || input.value === '' ? {} : { [field]: input.value };
    const { status } = await fetch(location.pathname, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      // The link is the credential: a session of this browser has nothing to do with it.
      credentials: 'omit',
      body: JSON.stringify({ token, ...given }),
    });
    return answerOf(status);
  };

  part('password').hidden = field === '';
  input.required = field === 'new_password';
  show(token === '' ? 'invalid' : null);
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    button.disabled = true;
    show(await send().catch(() => 'failed'));
    button.disabled = false;
  });
}

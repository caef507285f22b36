// SPDX-License-Identifier: Apache-2.0
// Filter of the case table; without scripts every case is shown.
(function () {
  document.documentElement.className = 'js';
  var buttons = document.querySelectorAll('.filter button');
  var rows = document.querySelectorAll('.cases tbody tr');
  function show(verdict) {
    rows.forEach(function (row) { row.hidden = verdict !== 'all' && row.dataset.verdict !== verdict; });
    buttons.forEach(function (b) { b.setAttribute('aria-pressed', String(b.dataset.verdict === verdict)); });
  }
  buttons.forEach(function (b) { b.addEventListener('click', function () { show(b.dataset.verdict); }); });
  // A link to a case that the filter hides shows all again.
  window.addEventListener('hashchange', function () {
    var target = document.getElementById(location.hash.slice(1));
    if (target && target.hidden) { show('all'); target.scrollIntoView(); }
  });
})();

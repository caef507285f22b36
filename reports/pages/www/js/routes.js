// SPDX-License-Identifier: Apache-2.0
// Every page.
import { rigsPage } from './rigs_page.js';
import { rigPage } from './rig_page.js';
import { jobsPage } from './jobs_page.js';
import { submitPage } from './submit_page.js';
import { jobPage } from './job_page.js';
import { filePage } from './file_page.js';
import { runPage } from './run_page.js';
import { nightsPage } from './nights_page.js';
import { casePage } from './case_page.js';
import { measurementsPage } from './measurements_page.js';
import { trendPage } from './trend_page.js';
import { signInPage } from './sign_in_page.js';
import { tokensPage } from './tokens_page.js';
import { watchPage } from './watch_page.js';
import { statusPage } from './status_page.js';

export const ROUTES = [
  ['rigs', rigsPage], ['rigs/{name}', rigPage],
  ['jobs', jobsPage], ['submit', submitPage], ['jobs/{id}', jobPage], ['jobs/{id}/files/{path*}', filePage],
  ['runs/{id}', runPage],
  ['nights', nightsPage], ['cases/{id}', casePage],
  ['measurements', measurementsPage], ['measurements/{series}', trendPage],
  ['sign-in', signInPage], ['leases/{id}', watchPage],
  ['tokens', tokensPage], ['status', statusPage],
];

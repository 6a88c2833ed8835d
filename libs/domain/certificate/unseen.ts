import type { CertificateProof } from '#contracts/gen/hostplane/v1/certificate.js';
import type { DnsFinding } from '#contracts/gen/hostplane/v1/domain.js';

/** What the log keeps of a finding, whatever else somebody writes there. */
const MOST_VALUES = 10;
const LONGEST_VALUE = 120;

/** Judges what resolvers answered: a record counts when more than half of them show it. `missing`: what was expected and found instead, as one text; empty: nothing is missing. */
export function unseen(proofs: readonly CertificateProof[], findings: readonly DnsFinding[]): { readonly found: readonly DnsFinding[]; readonly missing: string } {
  const found = findings.map((one) => ({ ...one, values: one.values.slice(0, MOST_VALUES).map((value) => value.slice(0, LONGEST_VALUE)) }));
  const missing = proofs.flatMap(({ token, text }) => {
    const about = findings.filter(({ name }) => name === token);
    const seen = about.filter(({ values }) => values.includes(text)).length;
    return seen * 2 > about.length ? [] : [`The TXT record ${token} with the value ${text} cannot be seen in the DNS yet: ${seen} of ${about.length} resolvers show it, ${Math.floor(about.length / 2) + 1} have to. ${answers(about)}`];
  });
  return { found, missing: missing.join(' ') };
}

function answers(about: readonly DnsFinding[]): string {
  const said = about.map(({ resolver, values, error }) => `${resolver}: ${error || values.map((value) => value.slice(0, LONGEST_VALUE)).slice(0, 3).join(', ') || 'nothing'}`);
  return `They say ${said.slice(0, 4).join('; ')}.`;
}

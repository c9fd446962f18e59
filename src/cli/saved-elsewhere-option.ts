import { Option } from 'commander';

/** Consent to an irreversible migration of data that airdock does not back up. */
export function backedUpElsewhere(): Option {
  return new Option(
    '--data-is-saved-elsewhere',
    'across an irreversible migration of a product without a declared database: you have a backup of its data yourself; airdock makes none',
  );
}

/** The same on a way back: the operator has put the older data back. */
export function putBackByHand(): Option {
  return new Option(
    '--data-is-saved-elsewhere',
    'for a product without a declared database: you have put the older data back yourself; airdock has none',
  );
}

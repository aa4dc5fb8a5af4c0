import { z } from 'zod';

export const templateName = z
  .string()
  .regex(
    /^[a-z0-9][a-z0-9._-]{0,62}$/,
    'a template is named with small letters, digits and . _ - (63 at most), such as careful-codex',
  );

/** A template's newest version by its name, or one of its versions. */
export const templateReference = z
  .string()
  .regex(
    /^[a-z0-9][a-z0-9._-]{0,62}(@[1-9]\d{0,5})?$/,
    'a template is named like careful-codex, or careful-codex@3 for its third version',
  );

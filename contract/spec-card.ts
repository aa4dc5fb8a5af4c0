import { z } from 'zod';
import { criteria, files, text, title } from './fields.ts';

/** At most this many features in one card (PRODUCT 3.1). */
const featuresMax = 2_000;

const feature = z.strictObject({
  title,
  description: text.default(''),
  acceptance_criteria: criteria.default([]),
  depends_on: z.array(title).max(featuresMax).optional(),
  files: files.optional().meta({ description: 'What it will probably touch' }),
});

/** What is to be built, as a person hands it in: no model involved. Dependencies name other features by title. */
export const specCard = z
  .strictObject({
    name: title,
    description: text.default(''),
    features: z
      .array(feature)
      .min(1, 'a spec card needs at least one feature')
      .max(featuresMax, `a spec card has at most ${featuresMax} features`),
    technical_requirements: z.array(z.string().trim().min(1).max(2_000)).max(500).default([]),
    repository: z.string().trim().min(1).max(1_000).optional(),
  })
  .meta({ id: 'SpecCard' });

export type SpecCard = z.infer<typeof specCard>;
export type SpecCardInput = z.input<typeof specCard>;

import { z } from 'zod';
import { time } from '../fields.ts';
import { agent } from '../projects.ts';
import { templateLimits, templateSourceLengthMax, templateTools } from './document.ts';
import { templateName } from './names.ts';

/** Put together, all or none: more than any team has. */
export const templatesAtOnceMax = 64;

export const templatePut = z.strictObject({
  documents: z
    .array(
      z.strictObject({
        file: z.string().min(1).max(300).default('template').meta({ description: 'What a refusal calls it' }),
        source: z
          .string()
          .max(templateSourceLengthMax, `is longer than ${templateSourceLengthMax} characters`)
          .meta({ description: 'YAML (docs/templates.md)' }),
      }),
    )
    .min(1)
    .max(templatesAtOnceMax),
});

/** One version of a template, whole: with what it has from those that it extends. */
export const template = z
  .object({
    id: z.string().meta({ description: 'name@version' }),
    name: z.string(),
    version: z.number().int(),
    description: z.string().nullable(),
    lineage: z.array(z.string()).meta({ description: 'The versions that it extends, the nearest first' }),
    agent,
    prompt: z.string(),
    tools: templateTools.default(null).meta({ description: "Of Skep's, those that its agent has; null: all" }),
    limits: templateLimits,
    fallback: z.array(z.string()),
    created_at: time,
  })
  .meta({ id: 'Template' });

export const templateShown = template
  .extend({
    source: z.string().meta({ description: 'Byte for byte as it was put' }),
    used_by: z.array(z.string()).meta({ description: 'Who names the template, such as project demo' }),
  })
  .meta({ id: 'TemplateShown' });

export const templateList = z.object({ templates: z.array(template) });
export const templatesPut = z.object({
  templates: z.array(
    z.object({
      id: z.string(),
      name: z.string(),
      version: z.number().int(),
      is_new: z.boolean().meta({ description: 'false: the newest version is the same already' }),
      warnings: z
        .array(z.string())
        .default([])
        .meta({ description: 'What of it will not hold, and the setting of the server that does' }),
    }),
  ),
});
export const templateByName = z.object({ name: templateName });
export const templateVersion = z.object({ version: z.coerce.number().int().min(1).max(999_999).optional() });

export type WireTemplate = z.infer<typeof template>;
export type WireTemplateShown = z.infer<typeof templateShown>;

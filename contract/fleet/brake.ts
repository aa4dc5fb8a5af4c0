import { z } from 'zod';
import { time } from '../fields.ts';

/** `on`: nothing is claimed; `trying`: one run at a time, until one is handed in. */
export const brakeStates = ['off', 'on', 'trying'] as const;

export const brakePull = z.strictObject({ reason: z.string().trim().min(1).max(500).default('pulled by a person') }).prefault({});

export const brake = z
  .object({
    state: z.enum(brakeStates),
    reason: z.string().meta({ description: 'Why it was pulled; empty where it never was' }),
    pulled_by: z.string().meta({ description: 'storm: runs failed one after another; else who' }),
    pulled_at: time.nullable(),
    due_at: time.nullable().meta({ description: 'When it is tried whether things work again; null: when a person lifts it' }),
    pulls: z.number().int().meta({ description: 'How often in a row' }),
  })
  .meta({ id: 'Brake' });

export type WireBrake = z.infer<typeof brake>;

import { modelFilter, modelList, wires, type WireModel } from '../../../contract/models/catalog.ts';
import type { Api } from '../../http/route.ts';
import { isFault } from '../../kernel/fault.ts';
import type { Gateway } from '../gateway.ts';
import type { Wire } from '../upstream.ts';

/** What people may ask of the gateway: which models there are, and whether one can be asked. */
export function modelApi(app: Api, gateway: Gateway): void {
  app.get(
    '/models',
    { config: { need: 'read' }, schema: { querystring: modelFilter, response: { 200: modelList } } },
    async ({ query: { name, wire } }) => {
      const over = wire === undefined ? wires : [wire];
      return { models: name === undefined ? allModels(gateway, over) : [oneModel(gateway, name, over)] };
    },
  );
}

function allModels(gateway: Gateway, over: readonly Wire[]): WireModel[] {
  const names = new Set(over.flatMap(wire => gateway.models(wire)));
  return [...names].map(name => oneModel(gateway, name, over));
}

/** Throws Fault `no_model`, `unknown_model` where it can be asked over none of these. */
function oneModel(gateway: Gateway, name: string, over: readonly Wire[]): WireModel {
  let refusal: unknown;
  let isRecorded = false;
  const spoken = over.filter(wire => {
    try {
      isRecorded = gateway.find(name, wire).isRecorded;
      return true;
    } catch (error) {
      if (!isFault(error)) throw error;
      refusal = error;
      return false;
    }
  });
  if (spoken.length === 0) throw refusal;
  return { name, wires: spoken, is_recorded: isRecorded };
}

/** The model gateway: what agents ask of models goes through here. */
export { type ModelSettings, readModels } from './configure.ts';
export { createGateway, type Gateway, type GatewayLimits, type GatewayParts, modelTargets } from './gateway.ts';
export { modelApi } from './catalog/routes.ts';
export { gatewayRoutes } from './routes.ts';

/** The fleet: what holds claims back, namely limits and the brake. */
export { brakesDue } from './brake.sql.ts';
export { easeBrake, getBrake, holdBrake, liftBrake, pullBrake } from './brake.ts';
export { killSandbox, noSandbox } from './kills/kill.ts';
export { wakeClaims } from './wake.ts';
export { createWorkerSweep } from './workers/sweep.ts';
export { wireBrake } from './wire.ts';

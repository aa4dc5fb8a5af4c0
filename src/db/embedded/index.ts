/**
 * The database that Skep brings along. One server per home folder, outliving the process that started it; whoever comes next
 * adopts it.
 *
 *   startEmbedded({ home, clock, log, port? }): Promise<EmbeddedServer>   starts it, or adopts the one that runs
 *   stopEmbedded(home, clock?): Promise<boolean>                          stops it; false when none ran
 *   clearEmbedded(home, clock?): Promise<void>                            ends what a dead owner has left at work there, to remove the home
 *   createWatch({ home, port, clock, log }): Lifecycle                     starts it again when it has died
 */
export { type EmbeddedServer, startEmbedded } from './start.ts';
export { clearEmbedded, stopEmbedded } from './stop.ts';
export { createWatch } from './watch.ts';

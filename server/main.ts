/** The entry of the process. */
import './platform/process/main.ts';

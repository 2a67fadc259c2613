// Scripts that never end are tested too, and each holds up its event loop until its time is up: so the tests have many
// loops, and only so many run at once. Otherwise a small machine would have nodes answer each other too late, whoever
// starts the tests and however.

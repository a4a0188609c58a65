// Package analysis answers: is it healthy now?
//
// An [Analyst] asks a [Querier] for the readings of some rules at one instant, and judges them. Judging is pure.
//
// # What it guarantees
//
// No data is never a pass, and lost data is not no data. NaN, and native histogram samples, are never a number by
// accident. A window that reaches behind the rollout proves nothing. Every [Judgement] carries the [Reading] it rests
// on: queries as sent, value, limit, samples, window, instant.
//
// It never decides what happens to a rollout, and never talks to the network itself: that is the Querier's business.
package analysis

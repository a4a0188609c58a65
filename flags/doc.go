// Package flags answers: who sees it?
//
// A [Flag] is one feature flag in flagd's flag-definition JSON, as a value. Edits ([Ramp], [Kill], [KillByHand],
// [Reset]) take a flag and return the next one; fields Serin does not know survive every edit. An [Audience] gets what is
// ramped whatever the share is. A [Source] names the system that keeps a policy's flags, where it is not Serin itself. [Flag.Evaluate] answers for one user by
// flagd's resolution order, with flagd's present bucketing. A [Store] keeps flags, [Apply] carries an edit into it by
// compare-and-set, and a [Confirmer] tells by evaluation whether the source now serves what was wanted.
//
//	Get ──► Edit (pure) ──► Update at the revision read ──► Change ──► Want ──► Confirm (another path)
//	 ▲                        │ ErrConflict
//	 └────────────────────────┘
//
// # What it guarantees
//
// An edit is absolute: doing it twice changes nothing. While a share grows nobody leaves: the new variant is the first
// bucket and the total is always 10000. A write carries a [Fence]; an older one is refused. A kill latches: no ramp of
// the rollout it stopped is accepted again, and a feature flag stays off until a person resets it. What somebody else
// wrote is never overwritten by a ramp; a kill overwrites it, and [Change] keeps what was there. An edit never yields a
// definition that flagd would refuse.
//
// A [Document] keeps the text it was read from: setting a flag changes the fields of that flag that differ, and no other
// byte. [Document.Resolve] gives a flag with the document's $evaluators in place, for evaluation alone. Reading takes
// what flagd takes; Validate is stricter, by flagd's schema, and is for what is about to be written.
//
// The package never reads a clock, never calls anything but the interfaces it declares, and never logs.
//
// # Design
//
// "Off" keeps the state ENABLED, because a DISABLED flag makes every client return its caller's default, which may be
// on. What Serin wrote is known by flat metadata (serinRollout, serinShare, …) together with the targeting itself: the
// flag is Serin's only while both agree. Fences are compared within one slot only, as generations count a slot's
// rollouts; between slots a kill always counts, and a ramp is refused while the other slot's share is under way.
//
// The operators are registered with the JsonLogic library under names of our own, since its table is global to the
// process: an application may use another flagd evaluator, with other buckets, beside this one.
package flags

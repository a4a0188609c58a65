package steps

// Phase is where a rollout is.
type Phase string

// The phases. Paused and unconfirmed are flags beside them.
const (
	Pending          Phase = "pending"           // accepted; the new version has no traffic
	Shifting         Phase = "shifting"          // a step's share is requested and not yet confirmed
	Baking           Phase = "baking"            // the share is confirmed; rules are read
	AwaitingApproval Phase = "awaiting_approval" // baked and healthy; a person must agree
	Watching         Phase = "watching"          // at 100 %; rules still roll back
	Reverting        Phase = "reverting"         // being taken back; not yet confirmed
	Recovering       Phase = "recovering"        // taken back and confirmed; the failed rules are watched until healthy
	Ended            Phase = "ended"             // over: see Outcome and Cause
)

// Outcome is how a rollout ended.
type Outcome string

// The outcomes.
const (
	Promoted           Outcome = "promoted"            // all traffic, watched, healthy
	Restored           Outcome = "restored"            // taken back, and confirmed
	RestoreUnconfirmed Outcome = "restore_unconfirmed" // the way back is not confirmed in time; it goes on being tried, and may still become restored
	NeverExposed       Outcome = "never_exposed"       // ended before the new version had any traffic
)

// Cause is why a rollout was taken back.
type Cause string

// The causes.
const (
	ByRules       Cause = "rules"
	ByLostData    Cause = "lost_data"
	ByHoldTimeout Cause = "hold_timeout"
	ByPerson      Cause = "person"
	BySuperseded  Cause = "superseded"
	NotReady      Cause = "not_ready" // it never was ready for traffic, and had none
)

package steps

// Observed is what a mover or a flag source saw of the world after an Expose. The zero Observed is "nothing known".
type Observed struct {
	Share     Share  `json:"share"`               // the new version's share, as read back; unconfirmed it is only the one asked for
	Confirmed bool   `json:"confirmed,omitempty"` // the share was read back, and is the one asked for
	How       string `json:"how,omitempty"`       // what confirmed it, or why nothing did: one clause, for people
}

package promrules

import "math/rand/v2"

// dice draws a case; the same seed draws the same one.
type dice struct{ *rand.Rand }

func newDice(seed uint64) *dice { return &dice{rand.New(rand.NewPCG(seed, 0))} }

// pick draws one of the texts.
func (d *dice) pick(texts ...string) string { return one(d, texts...) }

func (d *dice) chance(percent int) bool { return d.IntN(100) < percent }

// between draws a number, both bounds included.
func (d *dice) between(low, high int) int { return low + d.IntN(high-low+1) }

func one[T any](d *dice, of ...T) T { return of[d.IntN(len(of))] }

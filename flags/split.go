package flags

import (
	"math"
	"slices"

	"github.com/twmb/murmur3"
)

// Bucket is the place of a user in 0 to 9999 under a flag: a ramp at share s reaches the users whose bucket is below s.
func Bucket(key, targetingKey string) int { return int(place(key, targetingKey, Total)) }

// place maps a user to [0, total) as flagd's fractional does (v2): the upper part of hash × total, no separator
// between flag key and targeting key.
func place(key, targetingKey string, total uint32) uint32 {
	var room [128]byte // most keys fit: no allocation
	b := append(append(room[:0], key...), targetingKey...)
	return scale(murmur3.Sum32(b), total)
}

func scale(hash, total uint32) uint32 { return uint32(uint64(hash) * uint64(total) >> 32) }

// split is a fractional of names and whole numbers only, which needs no JsonLogic. A total of 0 reaches nobody.
type split struct {
	total   uint32
	buckets []bucket
}

type bucket struct {
	variant string
	end     uint32 // places below it, and not in an earlier bucket, are in
}

// plainSplit reads a targeting rule that is nothing but a fractional over the targeting key; nil when it is more.
func plainSplit(rule map[string]any) *split {
	args, ok := rule["fractional"].([]any)
	if !ok || len(rule) != 1 || len(args) == 0 {
		return nil
	}
	if _, ok := args[0].([]any); !ok {
		return nil
	}
	parts, ok := readBuckets(args)
	if !ok {
		return nil
	}
	s := &split{}
	for _, p := range parts {
		name, ok := p.variant.(string)
		if !ok {
			return nil
		}
		s.total += p.weight
		s.buckets = append(s.buckets, bucket{name, s.total})
	}
	return s
}

// pick is the variant of a user with a targeting key.
func (s *split) pick(key, targetingKey string) (variant string, ok bool) {
	if s.total == 0 {
		return "", false
	}
	at := place(key, targetingKey, s.total)
	for _, b := range s.buckets {
		if at < b.end {
			return b.variant, true
		}
	}
	return "", false
}

func (s *split) equal(o *split) bool {
	return s != nil && o != nil && s.total == o.total && slices.Equal(s.buckets, o.buckets)
}

// weighted is one bucket of a fractional as evaluated: any string, bool, number or null, and its weight.
type weighted struct {
	variant any
	weight  uint32
}

// readBuckets reads evaluated buckets. A bucket that is no list, an empty one, a variant or weight of another type, a
// broken weight, or weights that add up to more than 2^31-1 spoil the whole; a negative weight is 0.
func readBuckets(args []any) ([]weighted, bool) {
	var sum float64
	parts := make([]weighted, len(args))
	for i, arg := range args {
		list, ok := arg.([]any)
		if !ok || len(list) == 0 {
			return nil, false
		}
		switch list[0].(type) {
		case nil, string, bool, float64:
		default:
			return nil, false
		}
		weight, ok := readWeight(list[1:])
		if sum += weight; !ok || sum > math.MaxInt32 {
			return nil, false
		}
		parts[i] = weighted{list[0], uint32(weight)}
	}
	return parts, true
}

func readWeight(rest []any) (float64, bool) {
	if len(rest) == 0 || rest[0] == nil {
		return 1, true
	}
	w, ok := rest[0].(float64)
	return max(w, 0), ok && w == math.Trunc(w)
}

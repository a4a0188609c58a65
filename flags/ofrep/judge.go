package ofrep

import (
	"fmt"
	"hash/fnv"
	"math"
	"strconv"

	"github.com/serin-cd/serin/flags"
)

// question is what is asked, and for whom: first without a targeting key, then the sample, then the extra users.
type question struct {
	key           string
	want          flags.Want
	sample, extra []string
	users         []string // all of them, "" first
	ours          bool     // the endpoint is held to Serin's buckets
}

// sight is a confirmation that may yet change.
type sight struct {
	flags.Confirmation
	final bool // it will not change: the definition written is the one that was judged
	exact bool // each user got what Serin's buckets say
}

func unverifiable(detail string) sight {
	return sight{Confirmation: flags.Confirmation{Outcome: flags.Unverifiable, Detail: detail}}
}

// ramps says that some users are due one variant and some the other.
func (q question) ramps() bool { return q.want.Share > 0 && q.want.Share < flags.Total }

// early judges the first answers: a definition that is not there yet shows in them.
func (q question) early(answers []reply) (seen sight, certain bool) {
	for i, a := range answers {
		if revision, ours := a.revision(); ours && revision < q.want.Revision {
			return unverifiable(fmt.Sprintf("revision %d is served, %d was written", revision, q.want.Revision)), true
		}
		if a.Code != "" && !q.excused(i, a) {
			return unverifiable(fmt.Sprintf("user %q: %s %s", q.users[i], a.Code, bounded(a.Details))), true
		}
		if !q.ramps() && !q.excused(i, a) && !q.serves(a, q.due(i)) {
			return q.mismatch(i, a, answers), true
		}
	}
	return sight{}, false
}

// judge takes the answers of all users, which early has let pass.
func (q question) judge(answers []reply) sight {
	out := sight{exact: true}
	out.Outcome, out.Users = flags.Confirmed, len(answers)
	reached, wrong, ours := 0, -1, q.ours
	for i, a := range answers {
		_, tells := a.revision()
		ours = ours || tells
		if q.excused(i, a) {
			continue
		}
		if i > 0 && i <= len(q.sample) && !q.serves(a, q.want.Base) {
			reached++
		}
		if !q.serves(a, q.due(i)) && wrong < 0 {
			wrong, out.exact = i, false
		}
		if i > 0 && !q.serves(a, q.want.Base) && !q.serves(a, q.want.Variant) {
			return q.mismatch(i, a, answers)
		}
	}
	out.Share = (reached*flags.Total + len(q.sample)/2) / len(q.sample)
	switch {
	case out.exact:
	case ours:
		seen := q.mismatch(wrong, answers[wrong], answers)
		seen.Share = out.Share
		return seen
	default:
		q.count(&out, reached)
	}
	return out
}

// count judges an endpoint with buckets of its own.
func (q question) count(out *sight, reached int) {
	n, p := len(q.sample), float64(q.want.Share)/flags.Total
	if plausible(reached, n, p) {
		out.Detail = fmt.Sprintf("%d of %d users, in buckets that are not Serin's", reached, n)
		return
	}
	out.Outcome = flags.Mismatch
	out.Detail = fmt.Sprintf("%d of %d users get %q, which is not plausible for %g %%", reached, n, q.want.Variant, 100*p)
}

func (q question) mismatch(i int, a reply, all []reply) sight {
	seen := sight{}
	seen.Outcome, seen.Users = flags.Mismatch, len(all)
	revision, ours := a.revision()
	seen.final = ours && q.want.Revision > 0 && revision >= q.want.Revision
	seen.Detail = fmt.Sprintf("user %q gets variant %q (%s), %q is due", q.users[i], bounded(a.Variant), bounded(a.Reason), q.due(i))
	if a.Value == nil {
		seen.Detail = fmt.Sprintf("user %q gets no value (%s): each application's own default holds; %q is due", q.users[i], bounded(a.Reason), q.due(i))
	}
	return seen
}

// print is the same for the same users of the sample who get the variant.
func (q question) print(answers []reply) uint64 {
	h := fnv.New64a()
	for i := range q.sample {
		in := byte(0)
		if q.serves(answers[i+1], q.want.Variant) {
			in = 1
		}
		_, _ = h.Write([]byte{in}) // never fails
	}
	return h.Sum64()
}

func (q question) due(i int) string { return q.want.For(q.key, q.users[i]) }

// excused says that the answer is for the user without a targeting key, and that the endpoint insists on one.
func (q question) excused(i int, a reply) bool {
	return i == 0 && (a.Code == "TARGETING_KEY_MISSING" || a.Code == flags.CodeInvalidContext)
}

// serves says whether the answer is the variant: by its value, and by its name. Systems that have no names for the two
// variants of a feature flag call them by their values, or leave them out.
func (q question) serves(a reply, variant string) bool {
	if a.Code != "" || a.Reason == flags.ReasonError || variant == "" {
		return false
	}
	if q.want.Kind != flags.Feature {
		return a.Value == variant && a.Variant == variant
	}
	on := variant == flags.On
	return a.Value == on && (a.Variant == variant || a.Variant == "" || a.Variant == strconv.FormatBool(on))
}

// plausible says whether k of n users are within what 999 of 1000 fair samples of probability p show.
func plausible(k, n int, p float64) bool {
	const tail = 0.0005
	return below(k, n, p) >= tail && below(n-k, n, 1-p) >= tail
}

// below is the probability that at most k of n are in.
func below(k, n int, p float64) float64 {
	sum := 0.0
	all, _ := math.Lgamma(float64(n + 1))
	for i := 0; i <= k; i++ {
		in, _ := math.Lgamma(float64(i + 1))
		out, _ := math.Lgamma(float64(n - i + 1))
		sum += math.Exp(all - in - out + float64(i)*math.Log(p) + float64(n-i)*math.Log1p(-p))
	}
	return sum
}

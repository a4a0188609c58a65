package jetstream

import (
	"errors"
	"strings"
	"testing"

	"github.com/serin-cd/serin/deployments"
)

const (
	policyA = "aaaaaaaaaaaaaaaa"
	policyB = "bbbbbbbbbbbbbbbb"
)

// offeringWorker is a worker of its own connection that offers a policy.
func offeringWorker(t *testing.T, l lab, hash string) (p *Policies, gone func()) {
	t.Helper()
	nc, js := connect(t, l.Server)
	p, err := OpenPolicies(t.Context(), js, Names{})
	if err == nil {
		err = p.Offers([]string{hash})
	}
	if err != nil {
		t.Fatal(err)
	}
	return p, func() { closeAndWait(nc) }
}

func (p *Policies) offers(t *testing.T, hash string, want error) {
	t.Helper()
	if err := p.Offer(t.Context(), checkout, hash); !errors.Is(err, want) {
		t.Errorf("offer %s: %v, want %v", hash[:1], err, want)
	}
}

func (p *Policies) counts(t *testing.T, hash string) {
	t.Helper()
	if got, err := p.Offered(t.Context(), checkout); err != nil || got != hash {
		t.Errorf("%s counts (%v), want %s", got, err, hash[:1])
	}
}

func TestThePolicyOfARunningWorkerStays(t *testing.T) {
	l := newLab(t)
	one, gone := offeringWorker(t, l, policyA)
	one.offers(t, policyA, nil)
	two, _ := offeringWorker(t, l, policyB)
	two.offers(t, policyB, deployments.ErrStays)
	two.counts(t, policyA)
	if stands, err := two.Stands(t.Context(), checkout); err != nil || !stands {
		t.Errorf("nobody stands by what counts: %v", err)
	}
	gone()
	if stands, err := two.Stands(t.Context(), checkout); err != nil || stands {
		t.Errorf("somebody stands by what counts: %v", err)
	}
	two.offers(t, policyB, nil)
	two.counts(t, policyB)
}

func TestAnOlderPolicyDoesNotKeepOutTheOneThatReplacedIt(t *testing.T) {
	l := newLab(t)
	one, gone := offeringWorker(t, l, policyA)
	one.offers(t, policyA, nil)
	gone()
	two, gone := offeringWorker(t, l, policyB)
	two.offers(t, policyB, nil)
	gone()
	stray, _ := offeringWorker(t, l, policyA) // the only one that runs: a policy may be taken back to what it was
	stray.offers(t, policyA, nil)
	stray.counts(t, policyA)
	back, _ := offeringWorker(t, l, policyB)
	back.offers(t, policyB, nil)
	back.counts(t, policyB)
	stray.offers(t, policyA, deployments.ErrStays)
}

func TestTheOrderOfOffersIsBounded(t *testing.T) {
	o := parseOffer(policyA)
	for i := range 3 * maxOffers {
		o = parseOffer(o.with(strings.Repeat(string(rune('a'+i%26)), 10+i)).String())
	}
	if len(o.history) != maxOffers || o.history[maxOffers-1] != o.accepted || o.later(policyB) {
		t.Errorf("%d kept, the last %s of %s", len(o.history), o.history[len(o.history)-1], o.accepted)
	}
}

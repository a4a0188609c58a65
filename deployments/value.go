package deployments

import (
	"regexp"
	"slices"
	"strconv"

	"github.com/serin-cd/serin/internal/diag/yamldoc"
	"github.com/serin-cd/serin/steps"
)

// Money is an amount in a currency.
type Money struct {
	Amount   float64 `json:"amount"`
	Currency string  `json:"currency"` // its code of three letters
}

// String is the amount as people write it in a policy: "0.12 EUR".
func (m Money) String() string {
	return strconv.FormatFloat(m.Amount, 'f', -1, 64) + " " + m.Currency
}

// valueForm bounds an amount, so that sums of it stay numbers.
var valueForm = regexp.MustCompile(`^([0-9]{1,9}(?:\.[0-9]{1,9})?) +([A-Z]{3})$`)

// parseValue reads what a request is worth; nil where nothing is written.
func parseValue(v yamldoc.Value) *Money {
	const cure = "write an amount and its currency, as in 0.12 EUR"
	text, ok := v.String()
	if !ok {
		return nil
	}
	found := valueForm.FindStringSubmatch(text)
	if found == nil {
		v.Errorf(cure, "%q is no amount of money", text)
		return nil
	}
	amount, err := strconv.ParseFloat(found[1], 64)
	if err != nil || amount == 0 {
		v.Errorf("write what a request is worth, as in 0.12 EUR, or leave the key out", "%q is nothing", text)
		return nil
	}
	return &Money{Amount: amount, Currency: found[2]}
}

// Accounts are what reports need of the policy that a rollout runs by. They are pinned with it: a later policy values
// later rollouts.
type Accounts struct {
	Value  *Money   `json:"value_per_request,omitempty"` // of one request
	Counts []string `json:"counts,omitempty"`            // rules whose total counts the requests of the new version alone
}

// accounts are the policy's, nil where it has nothing to say.
func (p Policy) accounts() *Accounts {
	a := Accounts{Value: p.Value}
	for _, r := range p.Rules {
		// Both variants of a feature flag run one version.
		apart := r.Total.Uses("variant") || r.Total.Uses("version") && p.Plan.Mover.Kind != steps.FeatureFlag
		if r.Ratio() && apart {
			a.Counts = append(a.Counts, r.Name)
		}
	}
	if a.Value == nil && len(a.Counts) == 0 {
		return nil
	}
	return &a
}

// checkValue warns of a value that no rule can use.
func (p Policy) checkValue(v yamldoc.Value) {
	if a := p.accounts(); a != nil && a.Value != nil && len(p.Rules) > 0 && len(a.Counts) == 0 {
		v.Warnf("add a rule with bad and total that names {{version}}, or {{variant}} of a feature flag",
			"no rule counts the requests of the new version: no loss will be known")
	}
}

// counts reports whether a rule's total counts the requests of the new version alone.
func (a *Accounts) counts(rule string) bool { return a != nil && slices.Contains(a.Counts, rule) }

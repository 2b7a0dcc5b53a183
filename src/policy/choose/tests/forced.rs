//! What operators force, over every verdict and through every policy that may lie above it.

use super::super::super::Force;
use super::*;

impl Case {
    /// Forces what the words name, endpoints and pools: `+1` up, `-1` down, `~1` drain.
    fn force(&mut self, words: &str) -> &mut Self {
        let mut forced = Forced::default();
        for word in words.split(' ').filter(|word| !word.is_empty()) {
            let (force, name) = match word.split_at(1) {
                ("+", name) => (Force::Up, name),
                ("-", name) => (Force::Down, name),
                (_, name) => (Force::Drain, name),
            };
            for (id, _) in (0..).zip(&self.pools.endpoints).filter(|(_, endpoint)| *endpoint.name == *name) {
                forced.set(Target::Endpoint(EndpointId(id)), force);
            }
            for (id, _) in (0..).zip(&self.pools.pools).filter(|(_, pool)| *pool.name == *name) {
                forced.set(Target::Pool(PoolId(id)), force);
            }
        }
        self.live = Live::compile(&self.pools, &self.board, &forced, Some(&self.live));
        self
    }

    /// What is given in the way of this name: of what lives, or by `when-all-down`.
    fn given(&mut self, view: View) -> (String, Moment) {
        let picks = self.picks(view, Family::V4, Answers::Best(9));
        let mut names: Vec<_> = picks.endpoints().iter().map(|id| &*self.pools.endpoints[id.0 as usize].name).collect();
        names.sort_unstable();
        (names.join("+"), picks.flip())
    }

    fn serve_all(&mut self) -> String {
        let whole = Live::all_alive(&self.pools);
        let rest = self.live.without_out().cloned().unwrap_or(whole);
        let live = std::mem::replace(&mut self.live, rest);
        let given = self.given(View::Living).0;
        self.live = live;
        given
    }
}

/// Two sites of two endpoints each, in failover, and a third of one behind them.
const WORLD: [&str; 4] = ["a POLICY/1 1 2", "b POLICY/2 3 4", "c POLICY/1 5", "world failover/1 a b c"];

#[test]
fn what_is_forced_is_so_whatever_the_verdicts() {
    let check = |force: &str, down: &[&str], living: &str, serve_all: &str, last_good: &str| {
        for policy in ["rr", "weighted", "random", "hash", "failover"] {
            let lines = WORLD.map(|line| line.replace("POLICY", policy));
            let mut case = Case::new(&lines.each_ref().map(String::as_str));
            for name in down {
                case.set(name, Health::DOWN);
            }
            case.force(force);
            let got = (case.given(View::Living).0, case.serve_all(), case.given(View::LastGood).0);
            let expected = (living.to_owned(), serve_all.to_owned(), last_good.to_owned());
            assert_eq!(got, expected, "{policy}: {force:?} without {down:?}");
            // Taken back, all is as it was, and so is what last lived: but for what lived as it was forced up.
            if force.contains('+') {
                continue;
            }
            let again = case.force("").given(View::LastGood).0;
            let mut never = Case::new(&lines.each_ref().map(String::as_str));
            for name in down {
                never.set(name, Health::DOWN);
            }
            assert_eq!(again, never.given(View::LastGood).0, "{policy}: {force:?} without {down:?}, taken back");
        }
    };
    let (all, every) = ("1+2+3+4+5", &["1", "2", "3", "4", "5"]);
    check("", &[], all, all, all);
    check("~1", &[], "2+3+4+5", "2+3+4+5", "2+3+4+5");
    check("-1", &[], "2+3+4+5", "2+3+4+5", "2+3+4+5");
    // Of `b` two must live, so it is out as a whole; `serve-all` asks for no such number.
    check("~3", &[], "1+2+5", "1+2+4+5", "1+2+5");
    check("~a", &[], "3+4+5", "3+4+5", "3+4+5");
    check("~1 -2", &[], "3+4+5", "3+4+5", "3+4+5");
    check("~a ~b", &["5"], "", "5", "");
    check("~1", every, "", "2+3+4+5", "5");
    check("~5", every, "", "1+2+3+4", "");
    check("~1 ~5", every, "", "2+3+4", "");
    // Up, whatever the verdict; of a pool, what lives of it, or all of it that is not out.
    check("+1", &["1"], all, all, all);
    check("+1", every, "1", all, "1");
    check("+b", &["3"], "1+2+4+5", all, "1+2+4+5");
    check("+b", every, "3+4", all, "3+4");
    check("+b ~3", every, "4", "1+2+4+5", "4");
    // Nothing else is left: rather that than nothing.
    check("~1 ~2 ~3 ~4 ~5", &[], "", all, "");
    check("~a ~b ~c", every, "", all, "");
    check("~world", &[], "", all, all);
    check("~world ~1", &[], "", "2+3+4+5", "2+3+4+5");
}

#[test]
fn no_verdict_turns_what_is_forced() {
    let forming = |alive| Health { alive, flip: Moment::from_nanos(9), ..Health::UP };
    let check = |force: &str, name: &str, alive: bool, expected: (&str, Moment)| {
        let mut case = Case::new(&["a rr/1 1 2", "b rr/1 3", "t failover/1 a b"]);
        case.set(name, forming(alive)).force(force);
        let (given, flip) = case.given(View::Living);
        assert_eq!((given.as_str(), flip), expected, "{force}, {name} {alive}");
    };
    let nine = Moment::from_nanos(9);
    check("", "1", true, ("1+2+3", nine));
    check("+1", "1", true, ("1+2+3", Moment::NEVER));
    check("+1", "1", false, ("1+2+3", Moment::NEVER));
    check("~1", "1", true, ("2+3", Moment::NEVER));
    check("-1", "1", false, ("2+3", Moment::NEVER));
    check("~a", "1", true, ("3", Moment::NEVER));
    // What lives within a pool that is forced up may still turn.
    check("+a", "1", true, ("1+2+3", nine));
}

//! What the answers of a pool are like, as far as the names over it have to know.

/// Answers that Route 53 gives at a time, at most.
pub(super) const MULTIVALUE_MAX: usize = 8;

/// What one can say of a pool's answers without asking it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Gist {
    pub(super) v4: Count,
    pub(super) v6: Count,
    /// Whether a name may be the answer rather than addresses.
    pub(super) has_alias: bool,
    /// Whether a monitor says of anything in it that it lives.
    pub(super) is_judged: bool,
    /// Seconds, least and greatest of its sets; `None` where Route 53 says none.
    pub(super) ttl: Option<(u32, u32)>,
}

/// Addresses of a family in one answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Count {
    pub(super) least: usize,
    pub(super) most: usize,
    /// Over all that may be chosen.
    pub(super) all: usize,
}

/// How many addresses a name answers with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answers {
    /// As many as Route 53 does, whatever is chosen.
    Same(usize),
    /// Route 53's number goes by what is chosen; this is the least.
    Least(usize),
}

impl Count {
    pub(super) fn of(addresses: usize) -> Self {
        Self { least: addresses, most: addresses, all: addresses }
    }

    /// Of what chooses between what has `self` and what has `other`.
    fn or(self, other: Self) -> Self {
        match (self.all, other.all) {
            (0, _) => other,
            (_, 0) => self,
            _ => {
                Self { least: self.least.min(other.least), most: self.most.max(other.most), all: self.all + other.all }
            }
        }
    }

    fn together(self) -> Self {
        let at_a_time = self.all.min(MULTIVALUE_MAX);
        Self { least: at_a_time, most: at_a_time, all: self.all }
    }
}

impl Gist {
    /// Of what chooses between what `self` and `other` are of.
    pub(super) fn or(self, other: Self) -> Self {
        Self {
            v4: self.v4.or(other.v4),
            v6: self.v6.or(other.v6),
            has_alias: self.has_alias || other.has_alias,
            is_judged: self.is_judged || other.is_judged,
            ttl: match (self.ttl, other.ttl) {
                (Some((least, most)), Some((low, high))) => Some((least.min(low), most.max(high))),
                (one, another) => one.or(another),
            },
        }
    }

    /// Of what answers with all that it may choose from.
    pub(super) fn together(self) -> Self {
        Self { v4: self.v4.together(), v6: self.v6.together(), ..self }
    }

    pub(super) fn has_addresses(&self) -> bool {
        self.v4.all + self.v6.all > 0
    }

    /// How many addresses a name over it answers with, `most` at most.
    pub(super) fn answers(&self, most: usize) -> Answers {
        let families = || [self.v4, self.v6].into_iter().filter(|count| count.all > 0);
        // A family that always answers with all it has may be told a greater number.
        let is_whole = |count: &Count| count.least == count.all;
        let chosen = families().filter(|count| !is_whole(count)).map(|count| count.least).min();
        let number = chosen.or(families().map(|count| count.all).max()).unwrap_or(1).clamp(1, most);
        let same = families().all(|count| match is_whole(&count) {
            true => count.all <= number,
            false => (count.least, count.most) == (number, number),
        });
        if same { Answers::Same(number) } else { Answers::Least(number) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_are_answered_as_any_choice_has() {
        let of = |v4: usize, v6: usize| Gist { v4: Count::of(v4), v6: Count::of(v6), ..Gist::default() };
        let check = |choices: &[(usize, usize)], expected: Answers| {
            let gist = choices.iter().map(|&(v4, v6)| of(v4, v6)).reduce(Gist::or).unwrap_or_default();
            assert_eq!(gist.answers(64), expected, "{choices:?}");
        };
        check(&[], Answers::Same(1));
        check(&[(1, 1), (1, 0)], Answers::Same(1));
        check(&[(3, 1)], Answers::Same(3));
        check(&[(2, 0), (2, 1)], Answers::Same(2));
        check(&[(2, 0), (3, 0)], Answers::Least(2));
        check(&[(2, 1), (2, 1)], Answers::Least(1));
        check(&[(65, 0)], Answers::Least(64));
        let many = (0..10).map(|_| of(1, 0)).reduce(Gist::or).map(Gist::together);
        assert_eq!(many.map(|gist| gist.answers(64)), Some(Answers::Same(8)));
    }
}

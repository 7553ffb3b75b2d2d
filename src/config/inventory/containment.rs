//! Which group contains which, through any number of groups between them.

use indexmap::IndexSet;

/// The containment of groups, which are numbered in the order of the file.
#[derive(Debug)]
pub(super) struct Containment {
    /// The hosts of each group: its own, then those of its child groups.
    pub(super) members: Vec<Vec<usize>>,
    /// For each group, one bit for each group that it contains.
    inside: Vec<Vec<u64>>,
    /// Each group's place in an order in which a group comes after all that it contains.
    rank: Vec<usize>,
}

/// Why groups cannot contain one another the way they say.
#[derive(Debug)]
pub(super) enum Problem {
    /// A group that contains itself; it is the first and the last of the way there.
    Cycle(Vec<usize>),
    /// More members than fit into memory.
    TooMany,
}

impl Containment {
    /// Follows the groups, given the hosts and the child groups of each.
    pub(super) fn new(own: &[&[usize]], children: &[Vec<usize>], most: usize) -> Result<Self, Problem> {
        let order = children_first(children)?;
        let words = children.len().div_ceil(64);
        let mut members: Vec<IndexSet<usize>> = vec![IndexSet::new(); children.len()];
        let mut inside = vec![Vec::new(); children.len()];
        let mut rank = vec![0; children.len()];
        let mut total = 0;
        for (place, group) in order.into_iter().enumerate() {
            rank[group] = place;
            let mut all: IndexSet<usize> = own[group].iter().copied().collect();
            // A group without children contains none, and needs no bits to say so.
            let mut bits = if children[group].is_empty() { Vec::new() } else { vec![0_u64; words] };
            for child in &children[group] {
                total += members[*child].len();
                if total > most {
                    return Err(Problem::TooMany);
                }
                all.extend(&members[*child]);
                bits[child / 64] |= 1 << (child % 64);
                for (word, more) in bits.iter_mut().zip(&inside[*child]) {
                    *word |= more;
                }
            }
            members[group] = all;
            inside[group] = bits;
        }
        Ok(Self { members: members.into_iter().map(|all| all.into_iter().collect()).collect(), inside, rank })
    }

    /// Whether the one group contains the other.
    pub(super) fn contains(&self, outer: usize, inner: usize) -> bool {
        self.inside[outer].get(inner / 64).is_some_and(|word| word & (1 << (inner % 64)) != 0)
    }

    /// The groups in an order in which none comes before one that contains it.
    pub(super) fn outermost_first(&self, groups: &[usize]) -> impl Iterator<Item = usize> {
        let mut groups = groups.to_vec();
        groups.sort_unstable_by_key(|group| std::cmp::Reverse(self.rank[*group]));
        groups.into_iter()
    }
}

/// An order in which every group comes after its children.
fn children_first(children: &[Vec<usize>]) -> Result<Vec<usize>, Problem> {
    let mut order = Vec::with_capacity(children.len());
    let mut seen = vec![false; children.len()];
    let mut done = vec![false; children.len()];
    for root in 0..children.len() {
        if seen[root] {
            continue;
        }
        // The way from the root, each group with how many of its children were followed: a file
        // may nest deeper than the stack is.
        let mut way = vec![(root, 0)];
        seen[root] = true;
        while let Some((group, followed)) = way.last_mut() {
            let group = *group;
            let Some(child) = children[group].get(*followed).copied() else {
                done[group] = true;
                order.push(group);
                way.pop();
                continue;
            };
            *followed += 1;
            if !seen[child] {
                seen[child] = true;
                way.push((child, 0));
            } else if !done[child] {
                let cycle = way.iter().map(|(group, _)| *group).skip_while(|group| *group != child);
                return Err(Problem::Cycle(cycle.chain([child]).collect()));
            }
        }
    }
    Ok(order)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containment_reaches_through_groups_between() {
        let groups = Containment::new(&[&[], &[7], &[8, 7]], &[vec![1], vec![2], vec![]], 100).unwrap();
        assert!(groups.contains(0, 2) && groups.contains(0, 1) && groups.contains(1, 2));
        assert!(!groups.contains(2, 0) && !groups.contains(0, 0));
        assert_eq!(groups.members, [vec![7, 8], vec![7, 8], vec![8, 7]]);
        assert_eq!(groups.outermost_first(&[2, 0, 1]).collect::<Vec<_>>(), [0, 1, 2]);
    }

    #[test]
    fn a_cycle_names_the_way_round() {
        let problem = Containment::new(&[&[], &[], &[]], &[vec![1], vec![2], vec![1]], 100).unwrap_err();
        assert!(matches!(problem, Problem::Cycle(way) if way == [1, 2, 1]));
    }

    #[test]
    fn nesting_as_deep_as_a_file_allows_overflows_no_stack() {
        let deep = 10_000;
        let children: Vec<Vec<usize>> = (0..deep).map(|n| if n + 1 < deep { vec![n + 1] } else { vec![] }).collect();
        assert!(Containment::new(&vec![&[] as &[usize]; deep], &children, 100).unwrap().contains(0, deep - 1));
    }
}

//! Device and function numbers on one bus: those that the file gives first, then the lowest free devices.

use std::collections::BTreeMap;

use super::file::Position;
use super::problem::Problems;
use super::value::DeviceFunction;

/// Numbers for each of `positions`, on a bus (`on the root bus`) whose devices start at `first`. The result has their order.
pub(super) fn assign(
    positions: &[&Position],
    first: u8,
    bus: &str,
    problems: &Problems<'_>,
) -> Vec<DeviceFunction> {
    let mut taken: BTreeMap<DeviceFunction, &Position> = BTreeMap::new();
    for position in positions {
        let Some(device) = &position.device else {
            if let Some(function) = &position.function {
                let wrong =
                    format!("`function` of `{}` without `device`", position.owner.get_ref());
                let right = "add the `device` number that its functions share";
                problems.report(function.span(), wrong, right);
            }
            continue;
        };
        let function = position.function.as_ref().map_or(0, |function| *function.get_ref());
        let number = DeviceFunction { device: *device.get_ref(), function };
        match taken.get(&number) {
            Some(other) => clash(position, other, number, bus, problems),
            None => {
                taken.insert(number, position);
            }
        }
    }
    lone_functions(&taken, bus, problems);
    let mut free =
        (first..32).filter(|device| !taken.keys().any(|number| number.device == *device));
    let mut full = false;
    let number = |position: &&Position| {
        let given = position.device.as_ref().map(|device| *device.get_ref());
        let device = given.or_else(|| free.next()).unwrap_or_else(|| {
            if !full {
                report_full(position, 32 - first, bus, problems);
            }
            full = true;
            first
        });
        let function = position.function.as_ref().map_or(0, |function| *function.get_ref());
        DeviceFunction { device, function }
    };
    positions.iter().map(number).collect()
}

fn clash(
    position: &Position,
    other: &Position,
    number: DeviceFunction,
    bus: &str,
    problems: &Problems<'_>,
) {
    let wrong = format!(
        "`{}` and `{}` (line {}) are both device {} function {} {bus}",
        position.owner.get_ref(),
        other.owner.get_ref(),
        problems.line(&other.span()),
        number.device,
        number.function,
    );
    problems.report(position.span(), wrong, "give one of them another `device` or `function`");
}

fn report_full(position: &Position, devices: u8, bus: &str, problems: &Problems<'_>) {
    let wrong = format!(
        "no device number is left {bus} for `{}`: it has {devices}",
        position.owner.get_ref()
    );
    let right =
        "remove some, or make several of them functions of one device with `device` and `function`";
    problems.report(position.owner.span(), wrong, right);
}

/// Software finds a device by its function 0.
fn lone_functions(taken: &BTreeMap<DeviceFunction, &Position>, bus: &str, problems: &Problems<'_>) {
    let mut last = None;
    for (number, position) in taken {
        if number.function != 0 && last != Some(number.device) {
            let wrong = format!(
                "device {} {bus} has function {} and no function 0",
                number.device, number.function
            );
            problems.report(position.span(), wrong, "number its functions from 0");
        }
        last = Some(number.device);
    }
}

/// Functions of the device at a port's link: `positions` in their order, as function numbers.
pub(super) fn assign_link(positions: &[&Position], port: &str, problems: &Problems<'_>) {
    let mut taken: BTreeMap<u8, &Position> = BTreeMap::new();
    for position in positions {
        if let Some(device) = &position.device {
            let wrong =
                format!("`device` of `{}` below the port `{port}`", position.owner.get_ref());
            problems.report(device.span(), wrong, "remove it: a link has one device, number 0");
        }
        let function = position.function.as_ref().map_or(0, |function| *function.get_ref());
        if let Some(other) = taken.get(&function) {
            let (owner, first) = (position.owner.get_ref(), other.owner.get_ref());
            let line = problems.line(&other.owner.span());
            let wrong = format!(
                "two devices at the port `{port}`: `{owner}` and `{first}` (line {line}) are both its function {function}"
            );
            let right = "put one of them at another port, or make it a further function with `function = 1`";
            problems.report(position.span(), wrong, right);
        } else {
            taken.insert(function, position);
        }
    }
    if let Some((function, position)) =
        taken.first_key_value().filter(|(function, _)| **function != 0)
    {
        let wrong =
            format!("the device at the port `{port}` has function {function} and no function 0");
        problems.report(position.span(), wrong, "number its functions from 0");
    }
}
